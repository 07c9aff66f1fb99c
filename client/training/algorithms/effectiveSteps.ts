/**
 * What local steps with heavy-ball momentum add up to (Wang et al. 2020, "Tackling the objective inconsistency problem in
 * heterogeneous federated optimization", section 4: the norm |a|_1 of the weights that gradients have in an update).
 *
 *     v_k = m v_{k-1} + g_k,  w_K = w_0 - eta sum v_k   =>   g_k counts 1 + m + .. + m^(K-k) = (1 - m^(K-k+1)) / (1 - m)
 *     |a|_1 = (K - m (1 - m^K) / (1 - m)) / (1 - m);   without momentum: K
 */
export function effectiveSteps(steps: number, momentum: number): number {
  // By repeated products, not by a power: its bits would be the mathematics library's.
  let decayed = 1;
  for (let k = 0; k < steps && decayed > 0; k++) decayed *= momentum;
  return (steps - (momentum * (1 - decayed)) / (1 - momentum)) / (1 - momentum);
}
