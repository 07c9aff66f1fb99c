/**
 * Loaded before everything else (`npm run test:delays`): one in 25 requests of this process, and one in 25 answers to
 * them, takes up to 3 s. Nodes overtake one another as they do on slow machines and networks, which finds what hangs on
 * who is faster, in nodes and in tests.
 */
const SHARE = 1 / 25;
const LONGEST_MS = 3000;

const undelayed = globalThis.fetch;
globalThis.fetch = async (...request) => {
  await maybePause();
  const response = await undelayed(...request);
  await maybePause();
  return response;
};

async function maybePause(): Promise<void> {
  if (Math.random() >= SHARE) return;
  await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_MS));
}
