/**
 * The demonstration's rogues: real nodes with a key, a store and a gateway, that play by the book until their round comes.
 * Started by `assay demo` as processes of their own; nothing else uses them.
 *
 *     node scripts/demo/rogues/rogue.ts lying-client --rpc-url .. --federation .. --state .. --round 3 --seed ..
 */
import { parseArgs } from 'node:util';
import { openNode } from '../../node/openNode.ts';
import { stopSignal, untilStopped } from '../../node/untilStopped.ts';
import type { NodeOptions } from '../../options/shared.ts';
import { toJson } from '../../output/facts.ts';
import { failureText } from '../../output/failure.ts';
import { beDishonest, type DishonestKind } from './dishonestClient.ts';
import { frame } from './framingChallenger.ts';

const POLL_MS = 150;

try {
  await run();
} catch (error) {
  process.stderr.write(`${failureText(error)}\n`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      'rpc-url': { type: 'string', default: '' },
      federation: { type: 'string', default: '' },
      state: { type: 'string', default: '' },
      round: { type: 'string', default: '1' },
      seed: { type: 'string', default: '' },
    },
  });
  const [kind] = positionals;
  const signal = stopSignal();
  const print = (event: object): void => {
    process.stdout.write(`${toJson({ time: new Date().toISOString(), ...event })}\n`);
  };
  const options: NodeOptions = {
    rpcUrl: values['rpc-url'],
    rpcPatience: 60,
    federation: values.federation,
    state: values.state,
    gatewayHost: '127.0.0.1',
    gatewayPort: 0,
    pollMs: POLL_MS,
    log: 'json',
    peer: [],
    publicGateway: [],
  };
  const node = await openNode(options, `assay demo: ${kind}`, (text) => print({ type: 'note', text }));
  const part = { ...node, round: Number(values.round), seed: values.seed, pollMs: POLL_MS, signal, report: print };
  try {
    if (kind === 'framing-challenger') await frame(part);
    else await beDishonest(part, kind as DishonestKind);
    await untilStopped(signal);
  } finally {
    await node.close();
  }
}
