import type { TensorFlow } from '../../models/model.ts';
import { adam } from './adam.ts';
import type { Optimizer, OptimizerSettings } from './optimizer.ts';
import { sgd } from './sgd.ts';

/** The manifest's optimiser in plain TF.js operations. */
export function plainOptimizer(tf: TensorFlow, settings: OptimizerSettings): Optimizer {
  return settings.optimizer === 'adam' ? adam(tf, settings) : sgd(tf, settings);
}
