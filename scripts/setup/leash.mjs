// Loaded first into every program that set-up starts (`node --import`): it ends with whoever started it, however that
// one ended. Otherwise an npm left behind by a killed set-up would go on changing node_modules under the next one.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.channel?.unref();
