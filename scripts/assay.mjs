#!/usr/bin/env node
// The command `assay`: sets up what is missing, then runs scripts/assay.ts with the right Node.
import { main } from './setup/run.mjs';

await main(['scripts/assay.ts', ...process.argv.slice(2)]);
