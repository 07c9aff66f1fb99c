import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { readFacts } from '../../scripts/checks/imports.ts';
import { findBreaches } from '../../scripts/checks/layers.ts';

describe('layer check', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'assay-layers-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  /** Breaches in a project of the given files; the imported ones are made as empty files. */
  const breachesIn = async (files: Record<string, string>): Promise<string[]> => {
    for (const [file, source] of Object.entries(files)) {
      await mkdir(dirname(join(root, file)), { recursive: true });
      await writeFile(join(root, file), source);
    }
    return findBreaches(root);
  };
  const target = (file: string) => ({ [file]: 'export const x = 1;\n' });

  const allowed: Array<[string, string, string]> = [
    ['a role imports protocol', 'auditor/replay.ts', 'protocol/errors.ts'],
    ['a role imports storage', 'client/node.ts', 'storage/car.ts'],
    ['scripts compose roles', 'scripts/demo.ts', 'aggregator/node.ts'],
    ['tests compose', 'test/a.test.ts', 'auditor/replay.ts'],
    ['protocol imports what is to the left', 'protocol/round/phase.ts', 'protocol/encoding/layout.ts'],
    ['protocol imports its errors', 'protocol/encoding/layout.ts', 'protocol/errors.ts'],
    ['the auditor reads the generated ABI', 'auditor/events.ts', 'chain/abi/federation.ts'],
  ];
  for (const [name, from, to] of allowed) {
    it(`allows: ${name}`, async () => {
      const source = `import { x } from '${relativeTo(from, to)}';\nexport const y = x;\n`;
      expect(await breachesIn({ ...target(to), [from]: source })).to.deep.equal([]);
    });
  }

  const refused: Array<[string, string, string]> = [
    ['protocol imports storage', 'protocol/round/phase.ts', 'storage/car.ts'],
    ['chain imports storage', 'chain/deploy.ts', 'storage/atomicFile.ts'],
    ['storage imports chain', 'storage/car.ts', 'chain/deploy.ts'],
    ['the client imports the aggregator', 'client/node.ts', 'aggregator/node.ts'],
    ['the auditor imports the aggregator', 'auditor/replay.ts', 'aggregator/aggregate.ts'],
    ['the auditor imports chain code', 'auditor/replay.ts', 'chain/federationClient.ts'],
    ['a role imports scripts', 'aggregator/node.ts', 'scripts/demo.ts'],
    ['protocol imports what is to the right', 'protocol/encoding/layout.ts', 'protocol/round/phase.ts'],
    ['protocol imports its own index', 'protocol/round/phase.ts', 'protocol/index.ts'],
  ];
  const forms: Record<string, (path: string) => string> = {
    value: (path) => `import { x } from '${path}';\nexport const y = x;\n`,
    'type only': (path) => `import type { x } from '${path}';\nexport type Y = typeof x;\n`,
    're-export': (path) => `export { x } from '${path}';\n`,
    dynamic: (path) => `export const load = () => import('${path}');\n`,
    'type of an import': (path) => `export type Y = typeof import('${path}');\n`,
  };
  for (const [name, from, to] of refused) {
    it(`refuses: ${name}, however it is written`, async () => {
      for (const [form, write] of Object.entries(forms)) {
        const breaches = await breachesIn({ ...target(to), [from]: write(relativeTo(from, to)) });
        expect(breaches, form).to.have.length(1);
        expect(breaches[0]).to.match(new RegExp(`^${from}:1: .*${to}`));
      }
    });
  }

  it('refuses builtins, packages with I/O, clocks and randomness in protocol', async () => {
    const lines = [
      "import { readFile } from 'node:fs/promises';",
      "import { createPublicClient } from 'viem';",
      'export const a = Math.random();',
      'export const b = Date.now();',
      'export const c = process.env.HOME;',
      "export const d = parseFloat('1');",
      'export const e = Math.log2(8);',
      'export const f = [readFile, createPublicClient];',
    ];
    const breaches = await breachesIn({ 'protocol/round/impure.ts': lines.join('\n') });
    const at = new Set(breaches.map((breach) => Number(breach.split(':')[1])));
    expect([...at].sort()).to.deep.equal([1, 2, 3, 4, 5, 6, 7]);
  });

  it('is not misled by comments, strings and member names', async () => {
    const source = [
      '// Math.random() and Date.now() and import "node:fs"',
      'export const text = "import { x } from \'../../storage/car.ts\'";',
      'export const record = { process: 1, Date: 2 };',
      'export const member = record.process + Math.imul(2, 3);',
    ].join('\n');
    expect(await breachesIn({ 'protocol/round/pure.ts': source })).to.deep.equal([]);
  });

  it('refuses cycles, collecting files and imports of nothing', async () => {
    const breaches = await breachesIn({
      'storage/a.ts': "import { b } from './b.ts';\nexport const a = () => b;\n",
      'storage/b.ts': "import type { a } from './a.ts';\nexport const b = (x: typeof a) => x;\n",
      'storage/all.ts': "export * from './a.ts';\n",
      'storage/lost.ts': "export { z } from './gone.ts';\n",
    });
    expect(breaches).to.have.length(3);
    expect(breaches[0]).to.contain('storage/a.ts -> storage/b.ts -> storage/a.ts');
    expect(breaches[1]).to.contain('storage/all.ts:1: re-exports all');
    expect(breaches[2]).to.contain('storage/gone.ts, which does not exist');
  });

  it('keeps the second library for the auditor alone', async () => {
    const breaches = await breachesIn({
      'auditor/read.ts': "import 'viem';\nimport 'ethers';\n",
      'client/send.ts': "import 'viem';\nimport 'ethers';\n",
    });
    expect(breaches.map((breach) => breach.slice(0, 18))).to.deep.equal(['auditor/read.ts:1:', 'client/send.ts:2: ']);
  });

  it('reads the imports of the source it is written in', () => {
    const { imports } = readFacts(
      "import { type A, b } from './x.ts';\nexport const c: A = b as import('./y.ts').D;\n",
    );
    expect(imports.map(({ specifier, kind, line }) => [specifier, kind, line])).to.deep.equal([
      ['./x.ts', 'value', 1],
      ['./y.ts', 'type', 2],
    ]);
  });
});

function relativeTo(from: string, to: string): string {
  return '../'.repeat(from.split('/').length - 1) + to;
}
