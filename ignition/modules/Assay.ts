/**
 * Deploys Assay once per chain: the modules, the code that delegates to them, and the factory that makes federations out
 * of it.
 *
 *     npx hardhat ignition deploy ignition/modules/Assay.ts --network <name>
 */
import { buildModule } from '@nomicfoundation/hardhat-ignition/modules';

export default buildModule('Assay', (m) => {
  const modules = {
    relay: m.contract('FederationRelay'),
    proofs: m.contract('FederationProofs'),
    gramProofs: m.contract('FederationGramProofs'),
    availability: m.contract('FederationAvailability'),
    rewards: m.contract('FederationRewards'),
    views: m.contract('FederationViews'),
  };
  const implementation = m.contract('Federation', [modules]);
  const factory = m.contract('FederationFactory', [implementation]);
  return { ...modules, implementation, factory };
});
