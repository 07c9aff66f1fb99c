import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FileFacts, readFacts } from './imports.ts';

/**
 * The layer check: "the auditor shares no code with the aggregator but the protocol" is a fact because a breach fails
 * the build. Everything may import protocol; protocol imports nothing of ours; the roles are strangers; only scripts,
 * explorer, test, bench and ignition compose.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  chain: ['protocol'],
  storage: ['protocol'],
  client: ['protocol', 'chain', 'storage'],
  aggregator: ['protocol', 'chain', 'storage'],
  auditor: ['protocol'],
};
const COMPOSERS = ['scripts', 'explorer', 'test', 'bench', 'ignition'];

/** Inside protocol/ each folder may import itself and those before it; errors.ts and #sha256 are everybody's. */
const PROTOCOL_ORDER = ['kernels', 'encoding', 'commitment', 'aggregation', 'round', 'dispute'];
const PROTOCOL_EVERYBODYS = ['protocol/errors.ts', 'protocol/commitment/sha256.node.ts'];

/** Files outside their layer's rule, each with its reason. */
const ASSEMBLY_SCRIPT = /^(protocol|client\/training)\/kernels\/assembly\//; // another language under the same ending
const GENERATED_ABI = /^chain\/abi\//; // data, not code: the auditor decodes events with it through its own library

/** What only Node loads: a browser gets the `default` of package.json's `imports` instead. */
const NODE_ONLY = [
  'protocol/commitment/sha256.node.ts',
  'protocol/round/engine/threads.node.ts',
  'protocol/round/engine/blockThread.ts', // the thread that threads.node.ts starts
  'protocol/round/engine/readRowFiles.ts', // what that thread reads
];

/** Packages that only compute. Anything else in protocol/ would bring I/O, a clock or a platform with it. */
const PROTOCOL_PACKAGES = /^(@noble\/hashes|multiformats|@ipld\/dag-pb|ipfs-unixfs|zod)(\/|$)/;

/** The auditor reads the chain through ethers, all others through viem: one library's bug cannot hide from both. */
const FOREIGN_PACKAGES: Readonly<Record<string, RegExp>> = {
  auditor: /^(viem|hardhat|@nomicfoundation\/.*)(\/|$)/,
  client: /^ethers(\/|$)/,
  aggregator: /^ethers(\/|$)/,
};

/**
 * What two machines may not agree on: clocks, randomness, the environment, and the functions of Math whose last bit the
 * language leaves to the engine.
 */
const IMPURE =
  /^(Date|performance|process|setTimeout|setInterval|setImmediate|fetch|console|crypto|parseFloat|Intl|navigator|require|Math\.(random|exp|expm1|log|log1p|log2|log10|pow|cbrt|hypot|a?sinh?|a?cosh?|a?tanh?|atan2)|Atomics|WeakRef|globalThis)$/;

/** One line per breach, `file:line: what`; none means that the layers hold. */
export function findBreaches(root: string): string[] {
  const files = sourceFiles(root);
  const facts = new Map(files.map((file) => [file, readFacts(readFileSync(join(root, file), 'utf8'))]));
  const ownNames = aliases(root);
  const breaches: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, { imports, uses }] of facts) {
    const targets: string[] = [];
    for (const { specifier, line, kind } of imports) {
      const target = resolveImport(file, specifier, ownNames);
      const complaint = judge(file, target, specifier, kind);
      if (complaint !== undefined) breaches.push(`${file}:${line}: ${complaint}`);
      if (target === undefined) continue;
      if (!existsSync(join(root, target))) breaches.push(`${file}:${line}: imports ${target}, which does not exist`);
      targets.push(target);
    }
    graph.set(file, targets);
    if (layerOf(file) === 'protocol') breaches.push(...impurities(file, uses));
  }
  return [...breaches, ...findCycles(graph)].sort();
}

function judge(file: string, target: string | undefined, specifier: string, kind: string): string | undefined {
  const layer = layerOf(file);
  const isIndex = file === 'protocol/index.ts';
  if (kind === 'exportAll' && !isIndex) return `re-exports all of ${specifier}; only protocol/index.ts collects`;
  if (COMPOSERS.includes(layer)) return undefined;
  if (target === undefined) return judgePackage(file, layer, specifier);
  const targetLayer = layerOf(target);
  if (targetLayer !== layer) {
    const allowed = MAY_IMPORT[layer] ?? [];
    if (allowed.includes(targetLayer) || GENERATED_ABI.test(target)) return undefined;
    return `${layer}/ imports ${target}; it may import ${['itself', ...allowed].join(', ')}`;
  }
  if (layer !== 'protocol' || isIndex || PROTOCOL_EVERYBODYS.includes(target)) return undefined;
  const from = PROTOCOL_ORDER.indexOf(file.split('/')[1] ?? '');
  const to = PROTOCOL_ORDER.indexOf(target.split('/')[1] ?? '');
  if (to >= 0 && to <= from) return undefined;
  return `imports ${target}; protocol's order is ${PROTOCOL_ORDER.join(' -> ')}, each importing only what is before it`;
}

function judgePackage(file: string, layer: string, specifier: string): string | undefined {
  if (layer === 'protocol') {
    if (isBuiltin(specifier)) {
      return NODE_ONLY.includes(file) ? undefined : `imports ${specifier}; protocol/ runs in browsers`;
    }
    return PROTOCOL_PACKAGES.test(specifier) ? undefined : `imports the package ${specifier}; protocol/ is pure`;
  }
  return FOREIGN_PACKAGES[layer]?.test(specifier) ? `${layer}/ imports the package ${specifier}` : undefined;
}

function impurities(file: string, uses: FileFacts['uses']): string[] {
  return uses
    .filter(({ name }) => IMPURE.test(name))
    .map(({ name, line }) => `${file}:${line}: uses ${name}; protocol/ computes the same bits everywhere`);
}

/** A path relative to the root, or nothing for packages and builtins. */
function resolveImport(file: string, specifier: string, ownNames: Record<string, string>): string | undefined {
  if (specifier.startsWith('#')) return posix.normalize(ownNames[specifier] ?? '');
  return specifier.startsWith('.') ? posix.normalize(posix.join(posix.dirname(file), specifier)) : undefined;
}

function aliases(root: string): Record<string, string> {
  const path = join(root, 'package.json');
  if (!existsSync(path)) return {};
  const { imports = {} } = JSON.parse(readFileSync(path, 'utf8')) as { imports?: Record<string, { node: string }> };
  return Object.fromEntries(Object.entries(imports).map(([name, { node }]) => [name, node]));
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier);
}

function layerOf(file: string): string {
  return file.slice(0, Math.max(0, file.indexOf('/')));
}

/** Every cycle once, by its first file in reading order. Type imports count: they tie two thoughts together as well. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const cycles = new Set<string>();
  const done = new Set<string>();
  const walk = (file: string, trail: string[]) => {
    const at = trail.indexOf(file);
    if (at >= 0) cycles.add(`${file}: import cycle ${[...trail.slice(at), file].join(' -> ')}`);
    if (at >= 0 || done.has(file)) return;
    for (const target of graph.get(file) ?? []) walk(target, [...trail, file]);
    done.add(file);
  };
  for (const file of graph.keys()) walk(file, []);
  return [...cycles];
}

function sourceFiles(root: string): string[] {
  const layers = [...Object.keys(MAY_IMPORT), ...COMPOSERS].filter((layer) => existsSync(join(root, layer)));
  return layers.flatMap((layer) =>
    readdirSync(join(root, layer), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .filter((file) => !ASSEMBLY_SCRIPT.test(file))
      .sort(),
  );
}

if (import.meta.main) {
  process.removeAllListeners('warning'); // Node calls its type stripping experimental as a function, though it runs us
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const breaches = findBreaches(root);
  for (const breach of breaches) console.error(breach);
  const count = sourceFiles(root).length;
  console.log(breaches.length > 0 ? `${breaches.length} breaches of the layers` : `the layers hold (${count} files)`);
  process.exitCode = breaches.length > 0 || count === 0 ? 1 : 0;
}
