/** docs/spec/: every worked example, computed again from its own inputs. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { describeModel } from '../../client/models/registry.ts';
import { gramOfRows } from '../../protocol/aggregation/gram.ts';
import { mixChunk, mixingHash } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { krumScores } from '../../protocol/aggregation/preAggregation/multiKrum.ts';
import { nearestNeighborMixing } from '../../protocol/aggregation/preAggregation/nearestNeighborMixing.ts';
import { preAggregate } from '../../protocol/aggregation/preAggregation/preAggregate.ts';
import { parseRule, RULE_NAMES, type RuleOptions, usesHistory } from '../../protocol/aggregation/rule.ts';
import { type ServerOptimizer, stepChunk } from '../../protocol/aggregation/serverStep.ts';
import { commitHash, type SealedUpdate } from '../../protocol/commitment/commitHash.ts';
import { gramMatrixHash } from '../../protocol/commitment/gramTree.ts';
import { commitModel, modelLeaf } from '../../protocol/commitment/merkle.ts';
import { commitUpdate, merkleSumKind, proveUpdateChunk, updateLeaf } from '../../protocol/commitment/merkleSum.ts';
import { treeLevels } from '../../protocol/commitment/perfectTree.ts';
import { fromHex, type Hex, toHex, ZERO_HASH } from '../../protocol/encoding/bytes.ts';
import { canonicalJson, type Json } from '../../protocol/encoding/canonicalJson.ts';
import { cidToBytes, payloadCid } from '../../protocol/encoding/cid.ts';
import { floatToFixed } from '../../protocol/encoding/fixedPoint.ts';
import { vectorLayout } from '../../protocol/encoding/layout.ts';
import { checkManifest, encodeManifest, manifestDimension, tensorSlices } from '../../protocol/encoding/manifest.ts';
import { encodeModel, encodeUpdate } from '../../protocol/encoding/vectors.ts';
import { computeRound } from '../../protocol/round/computeRound.ts';
import { NO_NORM_BOUND } from '../../protocol/round/parameters.ts';
import { type Publication, publicationHash } from '../../protocol/round/publication.ts';
import { accumulateAll } from '../../protocol/round/submission.ts';
import { aggregateRows } from './support/aggregateRows.ts';
import { shiftedBy } from './support/fractionBits.ts';

const folder = new URL('../../docs/spec/', import.meta.url);

/** The fenced blocks ```json example=NAME of all pages. */
function readExamples(): Map<string, Json> {
  const examples = new Map<string, Json>();
  for (const page of readdirSync(folder).filter((file) => file.endsWith('.md'))) {
    const text = readFileSync(new URL(page, folder), 'utf8');
    for (const [, name, body] of text.matchAll(/^```json example=(\w+)\n([\s\S]*?)^```$/gm)) {
      expect(examples.has(name!), `two examples named ${name}`).to.equal(false);
      examples.set(name!, JSON.parse(body!) as Json);
    }
  }
  return examples;
}
const examples = readExamples();
// biome-ignore lint/suspicious/noExplicitAny: each example has a shape of its own, checked by computing it again
const example = (name: string) => structuredClone(examples.get(name)) as any;

function dense<T extends Int16Array | Int32Array>(vector: T, nonZero: Record<string, number>): T {
  for (const [k, value] of Object.entries(nonZero)) vector[Number(k)] = value;
  return vector;
}

function updateExample() {
  const { dimension, chunkSize, nonZero } = example('updateTree');
  const layout = vectorLayout(dimension, chunkSize);
  return { layout, payload: encodeUpdate(dense(new Int16Array(dimension), nonZero), layout) };
}

function chunks(payload: Uint8Array, length: number): Uint8Array[] {
  return Array.from({ length: payload.length / length }, (_, i) => payload.subarray(i * length, (i + 1) * length));
}

/** Takes an example, returns what it should say. */
const recomputed: Record<string, () => unknown> = {
  fixedPoint: () => {
    const { fractionBits, weights } = example('fixedPoint');
    return { fractionBits, weights, integers: [...floatToFixed(Float32Array.from(weights), fractionBits)] };
  },
  layout: () => ({ ...vectorLayout(example('layout').dimension, example('layout').chunkSize) }),
  updatePayload: () => {
    const { chunkSize, update } = example('updatePayload');
    const layout = vectorLayout(update.length, chunkSize);
    return { chunkSize, update, payload: toHex(encodeUpdate(Int16Array.from(update), layout)) };
  },
  modelPayload: () => {
    const { chunkSize, model } = example('modelPayload');
    const layout = vectorLayout(model.length, chunkSize);
    return { chunkSize, model, payload: toHex(encodeModel(Int32Array.from(model), layout)) };
  },
  cid: () => {
    const { content } = example('cid');
    const cid = payloadCid(fromHex(content));
    return { content, cid, bytes: toHex(cidToBytes(cid)) };
  },
  canonicalJson: () => {
    const { value } = example('canonicalJson');
    return { value, text: canonicalJson(value) };
  },
  manifest: () => checkManifest(example('manifest')),
  manifestFacts: () => {
    const manifest = checkManifest(example('manifest'));
    const bytes = encodeManifest(manifest);
    const slices = tensorSlices(manifest.tensors).map(({ name, offset, length }) => ({ name, offset, length }));
    return { dimension: manifestDimension(manifest), slices, canonicalBytes: bytes.length, cid: payloadCid(bytes) };
  },
  updateTree: () => {
    const { layout, payload } = updateExample();
    const plain = ({ sum, hash }: { sum: bigint; hash: Uint8Array }) => ({ sum: String(sum), hash: toHex(hash) });
    const leaves = [...chunks(payload, 32).map(updateLeaf), merkleSumKind.zero];
    const levels = treeLevels(merkleSumKind, layout.depth, leaves);
    const { root, normSq } = commitUpdate(payload, layout);
    const { dimension, chunkSize, nonZero } = example('updateTree');
    return {
      ...{ dimension, chunkSize, nonZero },
      leaves: levels[0]!.map(plain),
      nodes: levels[1]!.map(plain),
      root,
      normSq: String(normSq),
    };
  },
  updateProof: () => {
    const { layout, payload } = updateExample();
    const { index, path } = proveUpdateChunk(payload, layout, example('updateProof').index);
    return { index, path: path.map(({ sum, hash }) => ({ sum: String(sum), hash: toHex(hash) })) };
  },
  modelTree: () => {
    const { dimension, chunkSize, nonZero } = example('modelTree');
    const layout = vectorLayout(dimension, chunkSize);
    const model = dense(new Int32Array(dimension), nonZero);
    const leaves = chunks(encodeModel(model, layout), 64).map((chunk) => toHex(modelLeaf(chunk)));
    return { dimension, chunkSize, nonZero, leaves, root: commitModel(model, layout) };
  },
  gramTree: () => {
    const { chunkSize, rows } = example('gramTree');
    const typed = (rows as number[][]).map((row) => Int16Array.from(row));
    const gram = gramOfRows(typed);
    const parameters = {
      dimension: 2,
      chunkSize,
      modelFractionBits: 24,
      updateFractionBits: 16,
      normSqBound: NO_NORM_BOUND,
      rule: parseRule('nnm+median', 0),
      serverStep: {
        optimizer: 'fedAvg' as const,
        learningRateQ16: 65536,
        momentumQ16: 0,
        secondMomentQ16: 0,
        adaptivity: 0,
      },
    };
    return {
      chunkSize,
      rows,
      gram: [...gram.values].map(String),
      matrixHash: toHex(gramMatrixHash(gram.values, 2)),
      gramRoot: computeRound(parameters, typed, new Int32Array(2)).gramRoot,
    };
  },
  mixingHash: () => {
    const { rows, columns, denominator, weights } = example('mixingHash');
    const hash = mixingHash({ rows, columns, denominator, weights: Int32Array.from(weights) });
    return { rows, columns, denominator, weights, mixingHash: hash };
  },
  rules: () => {
    const { rows, byzantine } = example('rules');
    const typed = (rows as number[][]).map((row) => Int16Array.from(row));
    const gram = gramOfRows(typed);
    const aggregates = RULE_NAMES.map((name) => {
      const { numerators, denominator } = aggregateRows(parseRule(name, byzantine), typed);
      return [name, [Number(numerators[0]), Number(denominator)]];
    });
    return {
      rows,
      byzantine,
      krumScores: krumScores(gram, byzantine).map(String),
      mixed: mixChunk(nearestNeighborMixing(gram, byzantine), typed).map((row) => row[0]),
      aggregates: Object.fromEntries(aggregates),
    };
  },
  preAggregations: () => {
    const { rows, history, byzantine, mixings } = example('preAggregations');
    const updates = (rows as number[][]).map((row) => Int16Array.from(row));
    const count = (row: Int16Array, sign: number) => row.filter((value) => Math.sign(value) === sign).length;
    const signs = updates.map((row) => ({ positive: count(row, 1), zero: count(row, 0), negative: count(row, -1) }));
    const options: Record<string, RuleOptions> = {
      'bucketing+fedavg': { bucketSize: 3 },
      'centered-clipping': { iterations: 3, radius: 8n },
      'geometric-median': { iterations: 8 },
      monna: { reference: 3 },
      fltrust: { reference: 3 },
    };
    const computed = Object.keys(mixings).map((name) => {
      const rule = parseRule(name, byzantine, options[name]);
      const gram = gramOfRows(usesHistory(rule) ? [...updates, Int16Array.from(history)] : updates);
      const context = { indices: updates.map((_, i) => i), seed: ZERO_HASH, signs, dimension: history.length };
      const { denominator, weights } = preAggregate(rule, gram, context);
      return [name, { denominator, weights: [...weights] }];
    });
    expect(new Set(Object.keys(mixings).flatMap((name) => parseRule(name, byzantine).preAggregations)).size).to.equal(
      11,
    );
    return { rows, history, byzantine, mixings: Object.fromEntries(computed) };
  },
  serverStep: () => {
    const { learningRateQ16, momentumQ16, shift, denominator, numerators, model, velocity } = example('serverStep');
    const step = (optimizer: 'fedAvg' | 'fedAvgM') => {
      const [next, state] = [Int32Array.from(model), optimizer === 'fedAvgM' ? Int32Array.from(velocity) : null];
      const momentum = state === null ? 0 : momentumQ16;
      stepChunk(
        { optimizer, learningRateQ16, momentumQ16: momentum, secondMomentQ16: 0, adaptivity: 0 },
        next,
        state,
        Float64Array.from(numerators),
        denominator,
        shiftedBy(shift),
      );
      return { model: [...next], velocity: [...(state ?? [])] };
    };
    const inputs = { learningRateQ16, momentumQ16, shift, denominator, numerators, model, velocity };
    return { ...inputs, fedAvg: step('fedAvg').model, fedAvgM: step('fedAvgM') };
  },
  adaptiveSteps: () => {
    const { denominator, numerators, model, momentum, secondMoment, ...rest } = example('adaptiveSteps');
    const bits = { modelFractionBits: 24, updateFractionBits: 16 };
    const usual = { learningRateQ16: 655, momentumQ16: 58_982, adaptivity: 16_777 };
    const inputs = { denominator, numerators, model, momentum, secondMoment };
    const steps = Object.keys(rest).map((name) => {
      const optimizer = name as ServerOptimizer;
      const step = { ...usual, optimizer, secondMomentQ16: optimizer === 'fedAdagrad' ? 0 : 64_881 };
      const next = Int32Array.from(model);
      const v = (secondMoment as string[]).map(BigInt);
      const state = Int32Array.from([
        ...momentum,
        ...v.map((value) => Number(value & 0xffff_ffffn) | 0),
        ...v.map((value) => Number(value >> 32n)),
      ]);
      stepChunk(step, next, state, Float64Array.from(numerators), denominator, bits);
      const n = next.length;
      const after = [...next.keys()].map((k) => (BigInt(state[2 * n + k]! >>> 0) << 32n) | BigInt(state[n + k]! >>> 0));
      return [name, { momentum: [...state.subarray(0, n)], secondMoment: after.map(String), model: [...next] }];
    });
    return { ...inputs, ...Object.fromEntries(steps) };
  },
  commitHash: () => {
    const { commitHash: _, ...fields } = example('commitHash');
    const { layout, payload } = updateExample();
    const { root, normSq } = commitUpdate(payload, layout);
    const cid = cidToBytes(payloadCid(payload));
    const update: SealedUpdate = { ...fields, root, normSq, cid };
    return { ...fields, root, normSq: String(normSq), cid: toHex(cid), commitHash: commitHash(update) };
  },
  accumulator: () => {
    const { reveals } = example('accumulator') as {
      reveals: { index: number; participant: Hex; root: Hex; normSq: string; cid: Hex }[];
    };
    const submissions = reveals.map((reveal) => ({
      ...reveal,
      normSq: BigInt(reveal.normSq),
      cid: fromHex(reveal.cid),
    }));
    return { reveals, accumulator: accumulateAll(submissions) };
  },
  publicationHash: () => {
    const { publicationHash: _, ...fields } = example('publicationHash');
    const publication: Publication = {
      ...fields,
      modelCid: fromHex(fields.modelCid),
      evidenceCid: fromHex(fields.evidenceCid),
    };
    return { ...fields, publicationHash: publicationHash(publication) };
  },
};

describe('the specification', () => {
  for (const [name, compute] of Object.entries(recomputed)) {
    it(`example ${name} holds`, () => {
      const written = example(name);
      expect(written, `docs/spec has no example ${name}`).to.not.equal(undefined);
      if (name === 'canonicalJson') written.value.B = 0; // JSON.parse reads -0.0 as minus zero
      const result = JSON.parse(JSON.stringify(compute())) as unknown;
      expect(result).to.deep.equal(written);
    });
  }

  it('has no example that is not computed here', () => {
    expect([...examples.keys()].sort()).to.deep.equal(Object.keys(recomputed).sort());
  });

  it('shows a leaf that any SHA-256 can follow', () => {
    const text = readFileSync(new URL('commitments.md', folder), 'utf8');
    const [, escaped, digest] = /printf '([^']+)' \| sha256sum\n# ([0-9a-f]{64})/.exec(text)!;
    const bytes = [...escaped!.matchAll(/\\([0-7]{1,3})/g)].map(([, octal]) => Number.parseInt(octal!, 8));
    const { payload } = updateExample();
    expect(Uint8Array.from(bytes.slice(9))).to.deep.equal(payload.slice(0, 32));
    expect(bytes.slice(0, 9)).to.deep.equal([0, 0, 0, 0, 0, 0, 0, 0, 25]);
    expect(`0x${digest}`).to.equal(toHex(updateLeaf(payload.subarray(0, 32)).hash));
  });

  it('shows a manifest whose tensors are those of its model, so that a trainer takes it', () => {
    const { model, tensors } = checkManifest(example('manifest'));
    expect(describeModel(model).tensors).to.deep.equal(tensors);
  });

  it('links to pages and headings that exist', () => {
    const docs = new URL('../', folder);
    const pages = ['glossary.md', ...readdirSync(folder).map((file) => `spec/${file}`)];
    const anchors = (text: string) =>
      [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
        title!
          .toLowerCase()
          .replace(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
      );
    let links = 0;
    for (const page of pages) {
      for (const [, target] of readFileSync(new URL(page, docs), 'utf8').matchAll(/\]\(([^)]+)\)/g)) {
        const [path, anchor] = target!.split('#');
        const text = readFileSync(new URL(path!, new URL(page, docs)), 'utf8');
        if (anchor !== undefined) expect(anchors(text), `${page} -> ${target}`).to.include(anchor);
        links++;
      }
    }
    expect(links).to.be.above(5);
  });
});
