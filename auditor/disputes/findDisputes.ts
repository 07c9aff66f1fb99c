/**
 * What an audited publication can be disputed for, the strongest first: participants whose sums lie, then the
 * aggregator's Gram matrix, mixing matrix, server state and model, in the order in which they follow from each other. The
 * first of the aggregator's lies is enough: the publication falls with it. Where the federation is audited only, its
 * contract judges nothing that follows from the rule; what stays is that the model's bytes are owed.
 */
import type { Dispute } from './dispute.ts';
import { gramDispute, mixingDispute } from './gramDispute.ts';
import type { Material } from './material.ts';
import { participantDispute } from './participantDispute.ts';
import { askForModel, vectorDispute } from './vectorDispute.ts';

/** Empty when every published number is right, or beyond the contract's judgement, and the model can be had. */
export async function findDisputes(material: Material): Promise<Dispute[]> {
  const disputes: Dispute[] = [];
  for (const update of material.updates) disputes.push(...(await participantDispute(material, update)));
  return [...disputes, ...(await aggregatorDispute(material))];
}

async function aggregatorDispute(material: Material): Promise<Dispute[]> {
  const { computed, published, model, context } = material;
  const { gramRoot, mixingHash, stateRoot, modelRoot } = published.publication;
  if (computed !== null && context.facts.parameters.enforced) {
    const { roots } = computed.replay;
    if (gramRoot !== roots.gramRoot) return gramDispute(material);
    if (mixingHash !== roots.mixingHash) return mixingDispute(material);
    if (stateRoot !== roots.stateRoot) return vectorDispute(material, 'state');
    if (modelRoot !== roots.modelRoot) return vectorDispute(material, 'model');
  }
  // Right, or not to be judged before something else is known: its bytes are owed in any case.
  return model.status === 'found' && model.root === modelRoot ? [] : askForModel(material);
}
