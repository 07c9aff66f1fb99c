// Loaded first (`node --import`) into a program that has a child of its own to end: unlike scripts/setup/leash.mjs it
// asks, so that the program can pass the word on. Foundry's launcher does.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();
