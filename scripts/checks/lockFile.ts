import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Whether package-lock.json names the packages of every platform, not only of the one it was made on.
 *
 * Native tools (Hardhat's EVM, Biome, esbuild, the TypeScript compiler) come as one optional package per platform.
 * Where the registry in use is a mirror that lacks some of them, `npm install` drops these from the lock file without a
 * word; on that platform nothing then runs, and `npm ci` refuses the file everywhere ("Missing: ... from lock file").
 *
 * `--fix` adds what is missing: the version is exact in the parent's own list; the check sum cannot be known here, so
 * npm takes the registry's.
 */
interface LockEntry {
  version?: string;
  dev?: boolean;
  devOptional?: boolean;
  license?: string;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  engines?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

interface Lock {
  packages: Record<string, LockEntry>;
}

/** Optional packages that entries of the lock file ask for by exact version and that it does not have. */
export function missingPlatformPackages(lock: Lock): Array<{ path: string; entry: LockEntry }> {
  const missing: Array<{ path: string; entry: LockEntry }> = [];
  for (const [parentPath, parent] of Object.entries(lock.packages)) {
    const siblings = Object.keys(parent.optionalDependencies ?? {});
    const known = siblings
      .map((name) => lock.packages[`node_modules/${name}`])
      .find((entry) => entry?.os !== undefined);
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const nested = `${parentPath}/node_modules/${name}`;
      if (lock.packages[`node_modules/${name}`] ?? lock.packages[nested]) continue;
      if (!/^\d+\.\d+\.\d+\S*$/.test(version)) continue;
      missing.push({ path: `node_modules/${name}`, entry: platformEntry(name, version, parent, known) });
    }
  }
  return missing;
}

function platformEntry(name: string, version: string, parent: LockEntry, sibling: LockEntry | undefined): LockEntry {
  // Foundry calls Node's x64 amd64.
  const words = name
    .slice(name.lastIndexOf('/') + 1)
    .split('-')
    .map((word) => (word === 'amd64' ? 'x64' : word));
  const os = words.find((word) => /^(aix|android|darwin|freebsd|linux|netbsd|openbsd|sunos|win32)$/.test(word));
  const cpu = words.find((word) => /^(arm|arm64|ia32|loong64|ppc64|riscv64|s390x|x64)$/.test(word));
  const libc = os === 'linux' ? words.find((word) => word === 'musl' || word === 'gnu') : undefined;
  return {
    version,
    ...(cpu && { cpu: [cpu] }),
    ...(parent.dev && { dev: true }),
    ...(parent.devOptional && { devOptional: true }),
    ...(libc && { libc: [libc === 'gnu' ? 'glibc' : 'musl'] }),
    ...(sibling?.license && { license: sibling.license }),
    optional: true,
    ...(os && { os: [os] }),
    ...(sibling?.engines && { engines: sibling.engines }),
  };
}

if (import.meta.main) {
  const path = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'package-lock.json');
  const lock = JSON.parse(readFileSync(path, 'utf8')) as Lock;
  const missing = missingPlatformPackages(lock);
  if (missing.length > 0 && process.argv.includes('--fix')) {
    for (const { path: at, entry } of missing) lock.packages[at] = entry;
    const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
    writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
    console.log(`package-lock.json: ${missing.length} packages of other platforms added`);
  } else if (missing.length > 0) {
    for (const { path: at, entry } of missing) console.error(`package-lock.json lacks ${at} ${entry.version}`);
    console.error('To do: npm run check:lock -- --fix');
    process.exitCode = 1;
  } else console.log('package-lock.json names the packages of every platform');
}
