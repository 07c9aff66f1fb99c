/**
 * Deploys Assay once per chain: the modules, the code that delegates to them, and the factory that makes federations out
 * of it.
 *
 *     npx hardhat ignition deploy ignition/modules/Assay.ts --network <name>
 */
import { buildModule } from '@nomicfoundation/hardhat-ignition/modules';

export default buildModule('Assay', (m) => {
  // One after the other, as deployAssay does it: the implementation carries their addresses.
  const membership = m.contract('FederationMembership');
  const relay = m.contract('FederationRelay', [], { after: [membership] });
  const proofs = m.contract('FederationProofs', [], { after: [relay] });
  const gramProofs = m.contract('FederationGramProofs', [], { after: [proofs] });
  const availability = m.contract('FederationAvailability', [], { after: [gramProofs] });
  const rewards = m.contract('FederationRewards', [], { after: [availability] });
  const views = m.contract('FederationViews', [], { after: [rewards] });
  const modules = { membership, relay, proofs, gramProofs, availability, rewards, views };
  const implementation = m.contract('Federation', [modules]);
  const factory = m.contract('FederationFactory', [implementation]);
  return { ...modules, implementation, factory };
});
