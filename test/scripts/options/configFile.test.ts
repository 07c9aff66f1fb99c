import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Command, CommanderError, Option } from 'commander';
import { withConfigFile } from '../../../scripts/options/configFile.ts';
import { collect, integer, oneOf } from '../../../scripts/options/values.ts';
import { expectError } from '../../client/support/expectError.ts';

describe('options: the config file', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-config-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** The options a command runs with, given a config file and arguments. */
  async function run(content: unknown, ...args: string[]): Promise<Record<string, unknown>> {
    const path = join(folder, 'node.json');
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    let seen: Record<string, unknown> | undefined;
    const command = withConfigFile(
      new Command('node')
        .requiredOption('--federation <address>', 'where')
        .option('--poll-ms <ms>', 'pause', integer(20, 60_000), 250)
        .option('--exit', 'end', false)
        .option('--peer <url>', 'repeatable', collect, [])
        .addOption(new Option('--log <form>', 'form').argParser(oneOf('text', 'json')).default('text')),
    )
      .exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .action((options: Record<string, unknown>) => {
        seen = options;
      });
    await command.parseAsync(['--config', path, ...args], { from: 'user' });
    return seen!;
  }

  it('sets options by their long names, parsed as on the command line', async () => {
    const config = { federation: '0xab', 'poll-ms': 100, exit: true, peer: ['http://a', 'http://b'], log: 'json' };
    expect(await run(config, '--federation', '0xab')).to.deep.include({
      federation: '0xab',
      pollMs: 100,
      exit: true,
      peer: ['http://a', 'http://b'],
      log: 'json',
    });
  });

  it('a required option may stand in the file alone', async () => {
    expect(await run({ federation: '0xcd' })).to.deep.include({ federation: '0xcd', pollMs: 250 });
  });

  it('what is required and stands nowhere is asked for', async () => {
    const error = await run({ 'poll-ms': 100 }).catch((failure: unknown) => failure);
    expect(error).to.be.instanceOf(CommanderError);
    expect(String(error)).to.match(/required option '--federation <address>' not specified, nor in .*node\.json/);
    expect(await run({ federation: '0xab', peer: [] })).to.deep.include({ peer: [] });
  });

  it('the command line wins over the file, the file over the default', async () => {
    const options = await run({ federation: '0xab', 'poll-ms': '100' }, '--federation', '0xff', '--log', 'json');
    expect(options).to.deep.include({ federation: '0xff', pollMs: 100, log: 'json', exit: false });
  });

  it('refuses what it does not know, and names what it does', async () => {
    await expectError(() => run({ federation: '0xab', polling: 3 }), 'CONFIG_KEY', /poll-ms[\s\S]*Received: polling/);
    await expectError(() => run({ federation: '0xab', pollMs: 100 }), 'CONFIG_KEY', /Received: pollMs/);
    await expectError(() => run({ federation: '0xab', config: 'other.json' }), 'CONFIG_KEY');
  });

  it('refuses values of the wrong kind or range', async () => {
    for (const [content, message] of [
      [{ 'poll-ms': 5 }, /wrong value for poll-ms\n {2}Expected: a whole number from 20 to 60000\n/],
      [{ 'poll-ms': true }, /a string or a number/],
      [{ 'poll-ms': null }, /a string or a number/],
      [{ exit: 'yes' }, /true or false/],
      [{ log: 'xml' }, /Expected: one of: text, json/],
      [{ federation: { address: '0xab' } }, /a string or a number/],
      [{ federation: ['0xab', '0xcd'] }, /one value/],
      [{ federation: [] }, /one value/],
    ] as const) {
      await expectError(() => run({ federation: '0xab', ...content }), 'CONFIG_VALUE', message);
    }
  });

  it('refuses a file that is not there, not JSON or not an object', async () => {
    await expectError(() => run('{ "federation": '), 'CONFIG_FILE', /cannot be read/);
    await expectError(() => run(['--exit']), 'CONFIG_FILE', /Received: an array/);
    await expectError(() => run('null'), 'CONFIG_FILE', /not a JSON object/);
    await expectError(() => run({}, '--config', join(folder, 'missing.json')), 'CONFIG_FILE', /missing\.json/);
  });
});
