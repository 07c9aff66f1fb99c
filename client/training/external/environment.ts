import { AssayError } from '../../../protocol/errors.ts';

/**
 * What a trainer sees of the node's environment: an allow-list, because a list of what to hide would miss the next
 * secret. A node's environment may hold the password of its key; a trainer is other people's code and gets none of it.
 */
const ALLOWED = [
  // Where programs and libraries are.
  ...['PATH', 'HOME', 'TMPDIR', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'SYSTEMROOT'],
  ...['PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV', 'CONDA_PREFIX', 'CONDA_DEFAULT_ENV', 'CUDA_HOME', 'JAVA_HOME'],
  // How text and time look.
  ...['LANG', 'LANGUAGE', 'TZ'],
  // Which devices compute, and with how many threads.
  ...['CUDA_VISIBLE_DEVICES', 'CUDA_DEVICE_ORDER', 'CUBLAS_WORKSPACE_CONFIG', 'NVIDIA_VISIBLE_DEVICES'],
  ...['HIP_VISIBLE_DEVICES', 'ROCR_VISIBLE_DEVICES', 'TORCH_HOME', 'HF_HOME', 'XDG_CACHE_HOME'],
  ...['OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'NUMEXPR_NUM_THREADS', 'VECLIB_MAXIMUM_THREADS'],
];

/** Set unless the node's environment says otherwise. */
const DEFAULTS: Readonly<Record<string, string>> = {
  // One thread: two trainers on one machine that each take every core wait for each other.
  OMP_NUM_THREADS: '1',
  MKL_NUM_THREADS: '1',
  OPENBLAS_NUM_THREADS: '1',
  // A line is a sign of life only if it leaves the process when it is printed.
  PYTHONUNBUFFERED: '1',
  // The same order of sets in every process, so that a seed is enough to repeat a run.
  PYTHONHASHSEED: '0',
};

/**
 * The environment a trainer starts with.
 *
 * @param parent the node's own
 * @param more names its operator allows besides
 * @throws AssayError TRAINER_ENVIRONMENT for a name that is Assay's own: those hold passwords
 */
export function trainerEnvironment(
  parent: Readonly<Record<string, string | undefined>>,
  more: readonly string[] = [],
): Record<string, string> {
  const own = more.find((name) => name.toUpperCase().startsWith('ASSAY_'));
  if (own !== undefined) {
    throw new AssayError('TRAINER_ENVIRONMENT', {
      summary: `${own} is not shown to trainers`,
      expected: 'names that do not begin with ASSAY_: those hold what only the node may know',
      received: own,
      fix: 'hand the value over under another name',
    });
  }
  const allowed = new Set([...ALLOWED, ...more]);
  const seen = Object.entries(parent).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && (allowed.has(entry[0]) || /^LC_/.test(entry[0])),
  );
  return { ...DEFAULTS, ...Object.fromEntries(seen) };
}
