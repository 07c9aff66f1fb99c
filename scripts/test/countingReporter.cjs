// Mocha's own output, plus the counts in a file: whoever runs the suite then knows how many tests ran even when the
// process ends in a way its exit status does not tell. Mocha loads reporters with `require`, hence CommonJS.
const { writeFileSync } = require('node:fs');
const { reporters, Runner } = require('mocha');

class CountingSpec extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const { countsFile } = options.reporterOptions;
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = runner.stats;
      writeFileSync(countsFile, JSON.stringify({ passed: passes, failed: failures, skipped: pending }));
    });
  }
}

module.exports = CountingSpec;
