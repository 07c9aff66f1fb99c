/** Run as a process of its own: audits a federation over RPC and a gateway, and prints the most memory that it took. */
import { auditFederation } from '../../../auditor/auditFederation.ts';

const [rpcUrl, federation, gateway] = process.argv.slice(2);
let bytes = 0;
// Not resourceUsage().maxRSS: a process inherits that of the one that started it.
const timer = setInterval(() => {
  bytes = Math.max(bytes, process.memoryUsage.rss());
}, 5);
const options = { rpcUrl: rpcUrl!, federation: federation!, gateways: [gateway!], threads: 1, memoryBytes: 2 ** 20 };
const { ok } = await auditFederation(options);
clearInterval(timer);
console.log(JSON.stringify({ ok, bytes }));
