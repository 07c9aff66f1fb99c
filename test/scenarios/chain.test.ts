/** The local chain lives as long as the command that started it, however that one ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { freePort } from '../../scripts/node/localChain.ts';
import { SLOW_MACHINE_MS, until } from './support/world.ts';

const ENTRY = fileURLToPath(new URL('../../scripts/assay.ts', import.meta.url));

describe('assay chain', function () {
  this.timeout(SLOW_MACHINE_MS);
  let child: ChildProcess;
  let url: string;

  beforeEach(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    child = spawn(process.execPath, [ENTRY, 'chain', '--port', String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = await once(child.stdout!, 'data');
    expect(String(said)).to.equal(`chain 31337 at ${url}; Ctrl-C ends it\n`);
  });
  afterEach(() => child.kill('SIGKILL'));

  const answers = () =>
    fetch(url, { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}' }).then(
      (response) => response.ok,
      () => false,
    );

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`is gone after ${signal}`, async () => {
      expect(await answers()).to.equal(true);
      child.kill(signal);
      const [status] = await once(child, 'exit');
      expect(status).to.equal(signal === 'SIGTERM' ? 0 : null);
      expect(await until('the port to be free', async () => !(await answers()))).to.equal(true);
    });
  }
});
