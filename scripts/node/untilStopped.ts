/**
 * Ctrl-C and SIGTERM end a node cleanly: what is under way is finished, nothing new is begun. A second one ends it at
 * once.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // Forked by the demonstration: when that process is gone, however it went, this one ends too.
  process.on('disconnect', stop);
  process.channel?.unref();
  return controller.signal;
}

/** Resolves when the signal fires; does not keep the process alive. */
export function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Resolves when the signal fires and keeps the process alive until then. */
export async function untilStopped(signal: AbortSignal): Promise<void> {
  const alive = setInterval(() => undefined, 2 ** 30);
  await stopped(signal);
  clearInterval(alive);
}
