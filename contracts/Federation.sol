// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Membership} from "./federation/Membership.sol";
import {Modules} from "./federation/Modules.sol";
import {Rounds} from "./federation/Rounds.sol";
import {IFederationActions} from "./interfaces/IFederationActions.sol";
import {IFederationAvailability} from "./interfaces/IFederationAvailability.sol";
import {IFederationGramProofs, IFederationProofs} from "./interfaces/IFederationProofs.sol";
import {IFederationRelay} from "./interfaces/IFederationRelay.sol";
import {IFederationRewards} from "./interfaces/IFederationRewards.sol";
import {FederationParameters} from "./types/FederationParameters.sol";

/// @title The implementation that every federation's clone delegates to
/// @notice One concern per file under `federation/`: FederationStorage, Money, Rotation (turns), RoundClock (deadlines),
///         Standing, Penalties, Stakes, Membership, Rounds (commit, reveal, publish, finalize), Voiding and Slashing.
///         Whatever is not here goes to the module that has it, which shares the storage layout; what no module claims
///         is a question for FederationViews. Together they are an IFederation.
contract Federation is Membership, Rounds {
    address private immutable RELAY;
    address private immutable PROOFS;
    address private immutable GRAM_PROOFS;
    address private immutable AVAILABILITY;
    address private immutable REWARDS;
    address private immutable VIEWS;

    constructor(Modules memory modules) {
        RELAY = _withCode(modules.relay);
        PROOFS = _withCode(modules.proofs);
        GRAM_PROOFS = _withCode(modules.gramProofs);
        AVAILABILITY = _withCode(modules.availability);
        REWARDS = _withCode(modules.rewards);
        VIEWS = _withCode(modules.views);
    }

    /// @inheritdoc IFederationActions
    /// @dev The factory has validated the parameters: a federation is one that `FederationFactory.isFederation` knows.
    function initialize(
        FederationParameters calldata parameters_,
        address owner_,
        address[] calldata members
    ) external initializer {
        _transferOwnership(owner_);
        _parameters = parameters_;
        _rounds[0].modelRoot = parameters_.genesisModelRoot;
        _addMembers(members);
    }

    /// @dev A payment that names no action is refused, not kept (C-68).
    receive() external payable {
        revert WrongPayment(0, msg.value);
    }

    /// @dev Coin that comes with a question is refused by the view itself.
    fallback(bytes calldata call_) external payable returns (bytes memory) {
        return Address.functionDelegateCall(_moduleOf(msg.sig), call_);
    }

    function _moduleOf(bytes4 action) private view returns (address) {
        if (
            action == IFederationRelay.commitUpdates.selector || action == IFederationRelay.revealUpdates.selector
        ) return RELAY;
        if (
            action == IFederationProofs.proveBadSum.selector ||
            action == IFederationProofs.proveBadVacancy.selector ||
            action == IFederationProofs.proveBadCoordinate.selector ||
            action == IFederationProofs.voidCopiedUpdate.selector
        ) return PROOFS;
        if (
            action == IFederationGramProofs.proveBadGramLeaf.selector ||
            action == IFederationGramProofs.proveBadGramNode.selector ||
            action == IFederationGramProofs.proveBadMixing.selector
        ) return GRAM_PROOFS;
        if (
            action == IFederationAvailability.challengeAvailability.selector ||
            action == IFederationAvailability.answerChallenges.selector ||
            action == IFederationAvailability.settleChallenge.selector ||
            action == IFederationAvailability.challenge.selector ||
            action == IFederationAvailability.challengeId.selector ||
            action == IFederationAvailability.availabilityBond.selector
        ) return AVAILABILITY;
        if (
            action == IFederationRewards.fundRewards.selector ||
            action == IFederationRewards.distributeRewards.selector ||
            action == IFederationRewards.reclaimRewards.selector ||
            action == IFederationRewards.withdrawCredit.selector ||
            action == IFederationRewards.creditOf.selector ||
            action == IFederationRewards.rewardPool.selector ||
            action == IFederationRewards.rewardOf.selector
        ) return REWARDS;
        return VIEWS;
    }

    function _withCode(address module) private view returns (address) {
        // INVARIANT (C-67): what is delegated goes to code, not to nothing.
        if (module.code.length == 0) revert NoCode(module);
        return module;
    }
}
