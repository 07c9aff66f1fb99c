/**
 * Deploys Assay once per chain: the code that answers questions, the code that acts, and the factory that makes
 * federations out of both.
 *
 *     npx hardhat ignition deploy ignition/modules/Assay.ts --network <name>
 */
import { buildModule } from '@nomicfoundation/hardhat-ignition/modules';

export default buildModule('Assay', (m) => {
  const views = m.contract('FederationViews');
  const implementation = m.contract('Federation', [views]);
  const factory = m.contract('FederationFactory', [implementation]);
  return { views, implementation, factory };
});
