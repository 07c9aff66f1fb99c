import { sha256 } from '#sha256';

/**
 * Seeded randomness for everything a client does by chance: initial weights, shuffling, partitions, stochastic
 * rounding.
 *
 * Generator: xoshiro128** 1.1 (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021), integers
 * only, so its bits are the same on every machine. Its 128-bit state is the head of a SHA-256 over the labelled parts
 * of the seed: two seeds that differ anywhere give unrelated streams. (Folding a seed to 32 bits, as some frameworks
 * do, gives distinct seeds the same stream.)
 *
 * Not for secrets: salts and keys come from `node:crypto`.
 */
export interface Random {
  /** Uniform integer in [0, 2^32). */
  nextUint32(): number;
  /** Fills `numbers` with what as many calls of `nextUint32` would give. */
  fillUint32(numbers: Uint32Array): void;
  /** Uniform double in [0, 1) with 53 random bits. */
  nextFloat(): number;
  /** Uniform integer in [0, bound), without modulo bias. `bound` in [1, 2^32]. */
  nextInt(bound: number): number;
  /** Standard normal number (Marsaglia's polar method). */
  nextNormal(): number;
}

/**
 * One part of a seed. Parts are hashed with their type and length, so `('ab','c')` and `('a','bc')` differ, as do `1`
 * and `'1'`.
 */
export type SeedPart = string | number | bigint | Uint8Array;

/** 32 bytes of seed made from labelled parts: `deriveSeed(federationSeed, 'shuffle', round, participant)`. */
export function deriveSeed(...parts: readonly SeedPart[]): Uint8Array {
  const encoder = new TextEncoder();
  const pieces: Uint8Array[] = [];
  for (const part of parts) {
    const tag = part instanceof Uint8Array ? 'bytes' : typeof part;
    const body = part instanceof Uint8Array ? part : encoder.encode(String(part));
    pieces.push(encoder.encode(`${tag}:${body.length}:`), body);
  }
  const joined = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return sha256(joined);
}

/**
 * A generator for the labelled parts of a seed.
 *
 * @example
 * const random = createRandom('demo', 7, 'shuffle');
 * const order = permutation(random, 5); // the same five indices on every machine
 */
export function createRandom(...parts: readonly SeedPart[]): Random {
  const seed = deriveSeed(...parts);
  const view = new DataView(seed.buffer, seed.byteOffset, seed.byteLength);
  // The all-zero state is the generator's only fixed point: SHA-256 gives it with probability 2^-128, the bit set here
  // makes it impossible.
  return randomFromState(
    view.getUint32(0, true),
    view.getUint32(4, true),
    view.getUint32(8, true),
    view.getUint32(12, true) | 1,
  );
}

/** The generator from its bare state of four 32-bit words; `createRandom` is what to use. */
export function randomFromState(word0: number, word1: number, word2: number, word3: number): Random {
  let s0 = word0;
  let s1 = word1;
  let s2 = word2;
  let s3 = word3;

  const nextUint32 = (): number => {
    const scrambled = Math.imul(s1, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = (s3 << 11) | (s3 >>> 21);
    return result;
  };
  const fillUint32 = (numbers: Uint32Array): void => {
    // The same steps on copies of the state: variables of a closure are slower by an order of magnitude.
    let [a, b, c, d] = [s0, s1, s2, s3];
    for (let i = 0; i < numbers.length; i++) {
      const scrambled = Math.imul(b, 5);
      numbers[i] = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
      const t = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = (d << 11) | (d >>> 21);
    }
    [s0, s1, s2, s3] = [a, b, c, d];
  };
  const nextFloat = (): number => {
    const high = nextUint32() >>> 5;
    const low = nextUint32() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  };
  const nextInt = (bound: number): number => {
    // Numbers at or above the largest multiple of `bound` are drawn again, or low results would come up more often.
    const limit = 4294967296 - (4294967296 % bound);
    let drawn = nextUint32();
    while (drawn >= limit) drawn = nextUint32();
    return drawn % bound;
  };
  let spare: number | undefined;
  const nextNormal = (): number => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const u = 2 * nextFloat() - 1;
      const v = 2 * nextFloat() - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) {
        const scale = Math.sqrt((-2 * Math.log(s)) / s);
        spare = v * scale;
        return u * scale;
      }
    }
  };
  return { nextUint32, fillUint32, nextFloat, nextInt, nextNormal };
}

/** A random order of the indices 0..count-1 (Fisher and Yates). */
export function permutation(random: Random, count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const chosen = random.nextInt(last + 1);
    const held = order[last] as number;
    order[last] = order[chosen] as number;
    order[chosen] = held;
  }
  return order;
}
