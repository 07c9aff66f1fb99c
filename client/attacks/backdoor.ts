import { type Dataset, takeRows } from '../datasets/dataset.ts';
import { l2Norm } from '../update/clipUpdate.ts';
import type { Attack } from './attack.ts';
import { scaleToLimit } from './scale.ts';
import { BACKDOOR_TARGET, stampTrigger } from './trigger.ts';

/** Every second sample carries the trigger and the target's label; the others keep the model good at its task. */
const poison = (dataset: Dataset): Dataset => stampTrigger(dataset, (row) => row % 2 === 1, true);

/**
 * Backdoor (Gu et al. 2017; in federated learning Sun et al. 2019, "Can you really backdoor federated learning?"): trains
 * honestly on data half of which carries a trigger and the label 0. It does not want to ruin the model: its success is
 * measured by `backdoorSamples`. Needs no knowledge of others.
 */
export const backdoor: Attack = {
  name: 'backdoor',
  summary: 'trains on samples half of which carry a trigger and the label 0',
  corruptDataset: poison,
};

/**
 * Model replacement (Bagdasaryan et al. 2020, "How to backdoor federated learning", equation 3): the backdoored update
 * times n / f, so that plain averaging ends with the attackers' model. A lone node that knows of no accomplice goes as
 * far as the contract lets it (tenfold without a bound).
 */
export const scaledModelReplacement: Attack = {
  name: 'scaledModelReplacement',
  summary: 'trains like backdoor and scales the update so that an average becomes its model',
  corruptDataset: poison,
  corruptUpdate({ update, maxNorm, collusion }) {
    if (!collusion) return scaleToLimit(update, l2Norm(update), maxNorm);
    const factor = collusion.participants / collusion.attackers;
    return update.map((value) => factor * value);
  },
};

/**
 * What the success of a backdoor is measured on: the held-out samples of other classes with the trigger, labelled with
 * the target. A model's accuracy on them is the success rate, 0..1; undefined where all samples are of the target class.
 */
export function backdoorSamples(heldOut: Dataset): Dataset | undefined {
  const rows = Array.from(heldOut.y, (label, row) => (label === BACKDOOR_TARGET ? -1 : row)).filter((row) => row >= 0);
  if (rows.length === 0) return undefined;
  return stampTrigger(takeRows(heldOut, rows, `${heldOut.name} with a trigger`), () => true, true);
}
