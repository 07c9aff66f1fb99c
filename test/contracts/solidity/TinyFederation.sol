// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Modules} from "../../../contracts/federation/Modules.sol";
import {IFederationFactory} from "../../../contracts/interfaces/IFederationFactory.sol";
import {IFederation} from "../../../contracts/interfaces/IFederation.sol";
import {FederationParameters, PreAggregation, Combine, ServerOptimizer, ServerStep} from "../../../contracts/types/FederationParameters.sol";
import {TinyTrees} from "./TinyTrees.sol";
import {vm} from "./Vm.sol";

/// @notice For tests only: a token that anybody may print.
contract TinyToken is ERC20("Tiny", "TINY") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice For tests only: real federations with a tiny model, deployed as chain/deploy.ts deploys them: from the build, so that these
///         tests need not compile all contracts once more.
library TinyFederation {
    uint96 internal constant STAKE = 1 ether;
    uint96 internal constant PROOF_BOND = STAKE / 10;
    uint96 internal constant ROUND_REWARD = STAKE / 50 + 1;
    uint16 internal constant AGGREGATOR_BPS = 2_000;
    uint32 internal constant WINDOW = 100;
    uint32 internal constant ANSWER_WINDOW = 50;

    /// @param token zero for the chain's own coin
    /// @param mixed nearest-neighbour mixing and FedAvgM; else neither Gram matrix nor server state
    function deploy(address token, bool mixed) internal returns (IFederation) {
        Modules memory modules = Modules({
            membership: _new("FederationMembership", ""),
            relay: _new("FederationRelay", ""),
            proofs: _new("FederationProofs", ""),
            gramProofs: _new("FederationGramProofs", ""),
            availability: _new("FederationAvailability", ""),
            rewards: _new("FederationRewards", ""),
            views: _new("FederationViews", "")
        });
        address implementation = _new("Federation", abi.encode(modules));
        IFederationFactory factory = IFederationFactory(
            _new("FederationFactory", abi.encode(implementation))
        );
        return IFederation(factory.createFederation(parameters(token, mixed), new address[](0)));
    }

    function _new(string memory name, bytes memory arguments) private returns (address deployed) {
        bytes memory code = bytes.concat(vm.getCode(string.concat(name, ".sol:", name)), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        require(deployed != address(0), name);
    }

    function parameters(address token, bool mixed) internal pure returns (FederationParameters memory p) {
        p.manifestCid = cid(0);
        p.genesisModelCid = cid(0);
        p.genesisModelRoot = TinyTrees.modelRoot(TinyTrees.emptyModel());
        p.participantStake = STAKE;
        p.missedRevealPenalty = STAKE / 3;
        p.withdrawalDelaySeconds = 10;
        p.maxParticipants = 6;
        p.openMembership = true;
        p.normSqBound = type(uint64).max;
        p.commitWindowSeconds = WINDOW;
        p.revealWindowSeconds = WINDOW;
        p.aggregateWindowSeconds = WINDOW;
        p.challengeWindowSeconds = WINDOW;
        p.minParticipants = 3;
        p.minUpdates = 3;
        p.aggregatorStake = STAKE;
        p.missedTurnPenalty = STAKE / 5;
        p.dimension = uint64(TinyTrees.DIMENSION);
        p.chunkSize = uint32(TinyTrees.K);
        p.modelFractionBits = 24;
        p.updateFractionBits = 16;
        p.enforced = true;
        p.rule.preAggregations = mixed ? uint32(uint8(PreAggregation.NearestNeighborMixing)) : 0;
        p.rule.combine = Combine.TrimmedMean;
        p.rule.byzantine = 1;
        p.serverStep = mixed
            ? ServerStep(ServerOptimizer.FedAvgM, 65536, 32768, 0, 0)
            : ServerStep(ServerOptimizer.FedAvg, 65536, 0, 0, 0);
        p.stakeToken = token;
        p.proofBond = PROOF_BOND;
        p.bondGasPrice = 1 gwei;
        p.answerWindowSeconds = ANSWER_WINDOW;
        p.roundReward = ROUND_REWARD;
        p.aggregatorRewardBps = AGGREGATOR_BPS;
        p.contributionRewardBps = mixed ? 5_000 : 0;
    }

    /// @dev A well-formed CIDv1 (raw, SHA-256) of nothing in particular.
    function cid(uint256 n) internal pure returns (bytes memory) {
        return abi.encodePacked(bytes4(0x01551220), keccak256(abi.encode("cid", n)));
    }
}
