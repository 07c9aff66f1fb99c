/** What one dishonest publication may not do: end the nodes of those who read it. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as dagPb from '@ipld/dag-pb';
import { expect } from 'chai';
import { UnixFS } from 'ipfs-unixfs';
import type { AggregatorContext } from '../../aggregator/context.ts';
import { prepareRound } from '../../aggregator/publishRound.ts';
import { ModelCommitter } from '../../protocol/commitment/merkle.ts';
import { cidFromBytes, cidToBytes } from '../../protocol/encoding/cid.ts';
import { blockCid, DAG_PB_CODEC } from '../../protocol/encoding/unixfsFile.ts';
import { bytesOf, updatePayloadLength, viewInt32 } from '../../protocol/encoding/vectors.ts';
import { referenceEngine } from '../../protocol/round/engine/referenceEngine.ts';
import { type Evidence, encodeEvidence, parseEvidence } from '../../protocol/round/evidence.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import type { Publication } from '../../protocol/round/publication.ts';
import { encodeCarHeader, encodeSectionHead } from '../../storage/car.ts';
import { type Desk, openDesk, startAggregator, startParticipant, untilPhase } from './support/inProcess.ts';
import { type FederationWish, SLOW_MACHINE_MS, type TestFederation, useWorld, type World } from './support/world.ts';

describe('scenario: a dishonest publication', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  async function start(wish: FederationWish) {
    const fed = await world.federation({ participants: 2, rounds: 3, ...wish });
    const liar = await openDesk(world, fed, 'aggregator');
    const participants = [await startParticipant(world, fed), await startParticipant(world, fed)];
    return { fed, liar, participants };
  }

  /** What an honest aggregator would publish now, and its evidence. */
  async function honestRound(fed: TestFederation, liar: Desk) {
    const view = await untilPhase(fed, 1, 'aggregate');
    const valid = (await fed.federation.submissions(view)).sort((a, b) => a.index - b.index);
    const expectedBytes = updatePayloadLength(layoutOf(fed.federation.parameters));
    for (const { cid } of valid) await liar.payloads.fetch(cidFromBytes(cid), { expectedBytes });
    const context: AggregatorContext = {
      ...liar,
      engine: referenceEngine,
      report: () => undefined,
      signal: new AbortController().signal,
    };
    const { publication, evidenceCid } = await prepareRound(
      context,
      view,
      valid.map((submission) => ({ submission, cid: cidFromBytes(submission.cid) })),
    );
    return { publication, evidence: parseEvidence(await liar.payloads.store.readAll(evidenceCid)) };
  }

  async function publish(liar: Desk, publication: Publication, evidence: Evidence): Promise<void> {
    const { cid } = await liar.payloads.store.put(encodeEvidence(evidence));
    await liar.federation.publishRound(liar.signer, 1, { ...publication, evidenceCid: cidToBytes(cid) });
  }

  it('of a model that is no file is refused by the participants, which stay up', async () => {
    const { fed, liar, participants } = await start({});
    const data = new UnixFS({ type: 'file', data: new Uint8Array(8) }).marshal();
    const block = dagPb.encode({ Data: data, Links: [] });
    const cid = blockCid(DAG_PB_CODEC, block);
    const server = createServer((request, response) => {
      if (!request.url!.includes(cid)) return void response.writeHead(404).end();
      response.end(Buffer.concat([encodeCarHeader([cid]), encodeSectionHead(cid, block.length), block]));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    world.test.add(() => void server.close());
    const { publication, evidence } = await honestRound(fed, liar);
    // Not before: the participants fetch the first model from the gateway that it announced until now.
    await liar.federation.setGateway(liar.signer, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await publish(liar, { ...publication, modelCid: cidToBytes(cid) }, evidence);
    for (const participant of participants) {
      expect((await participant.waitFor('modelRefused', 2)).message).to.contain('profile unixfs-v1-2025');
    }
  });

  it('of a server state with no CID, or with bytes beyond the last coordinate, does not end the next aggregator', async () => {
    for (const lie of ['cid', 'padding'] as const) {
      const { fed, liar } = await start({ server: 'fedAvgM', serverMomentum: 0.5 });
      const next = await startAggregator(world, fed);
      const { publication, evidence } = await honestRound(fed, liar);
      if (lie === 'cid') await publish(liar, publication, { ...evidence, stateCid: '../../no-cid' });
      else {
        const layout = layoutOf(fed.federation.parameters);
        const state = viewInt32(await liar.payloads.store.readAll(evidence.stateCid!)).slice();
        state[state.length - 1] = 7;
        const tree = new ModelCommitter(layout);
        for (let at = 0; at < state.length; at += layout.chunkSize)
          tree.append(state.subarray(at, at + layout.chunkSize));
        const stateRoot = tree.finish();
        const { cid } = await liar.payloads.store.put(bytesOf(state));
        await publish(liar, { ...publication, stateRoot }, { ...evidence, stateRoot, stateCid: cid });
      }
      await untilPhase(fed, 2, 'aggregate');
      const { reason } = await next.waitFor('waiting');
      expect(reason).to.match(lie === 'cid' ? /round 1 does not say where its server state/ : /not zero beyond/);
    }
  });

  it('of weights on which the loss is no number does not end an aggregator that evaluates: it claims nothing', async () => {
    const fed = await world.federation({ participants: 2, rounds: 1 });
    await startParticipant(world, fed);
    await startParticipant(world, fed);
    const evaluate = async () => ({ accuracy: 0.1, loss: Number.NaN, samples: 10 });
    const aggregator = await startAggregator(world, fed, { change: { evaluate } });
    expect((await aggregator.waitFor('published', 1)).metrics).to.equal(null);
    expect((await world.audit(fed)).ok).to.equal(true);
  });
});
