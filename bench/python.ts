import { spawnSync } from 'node:child_process';

/** The interpreter that has a package: ASSAY_PYTHON or python3; null, and a line that says so, when it has not. */
export function findPython(name: string): string | null {
  const python = process.env.ASSAY_PYTHON || 'python3';
  if (spawnSync(python, ['-c', `import ${name}`], { stdio: 'ignore' }).status === 0) return python;
  console.log(`${python} has no ${name}: it is left out (ASSAY_PYTHON names another interpreter)`);
  return null;
}
