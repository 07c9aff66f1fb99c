// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Modules} from "./federation/Modules.sol";
import {Rounds} from "./federation/Rounds.sol";
import {IFederationActions} from "./interfaces/IFederationActions.sol";
import {IFederationAvailability} from "./interfaces/IFederationAvailability.sol";
import {IFederationGramProofs, IFederationProofs} from "./interfaces/IFederationProofs.sol";
import {IFederationMembership} from "./interfaces/IFederationMembership.sol";
import {IFederationRelay} from "./interfaces/IFederationRelay.sol";
import {IFederationRewards} from "./interfaces/IFederationRewards.sol";
import {FederationParameters} from "./types/FederationParameters.sol";

/// @title The implementation that every federation's clone delegates to
/// @notice One concern per file under `federation/`: FederationStorage, Money, Rotation (turns), RoundClock (deadlines),
///         Standing, Penalties, Submissions (commit, reveal), Rounds (publish, finalize), Stakes, Membership, Voiding
///         and Slashing. A round's own actions are here; whatever else goes to the module that has it, which shares the
///         storage layout; what no module claims is a question for FederationViews. Together they are an IFederation.
contract Federation is Rounds {
    address private immutable MEMBERSHIP;
    address private immutable RELAY;
    address private immutable PROOFS;
    address private immutable GRAM_PROOFS;
    address private immutable AVAILABILITY;
    address private immutable REWARDS;
    address private immutable VIEWS;

    constructor(Modules memory modules) {
        MEMBERSHIP = _withCode(modules.membership);
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
        // INVARIANT (C-124): a token that is no contract would be "paid" by calls that nobody answers.
        if (parameters_.stakeToken != address(0)) _withCode(parameters_.stakeToken);
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
            action == IFederationAvailability.availabilityBond.selector ||
            action == IFederationAvailability.answerGas.selector
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
        if (
            action == IFederationMembership.addMembers.selector ||
            action == IFederationMembership.removeMembers.selector ||
            action == IFederationMembership.registerParticipant.selector ||
            action == IFederationMembership.registerAggregator.selector ||
            action == IFederationMembership.setGateway.selector ||
            action == IFederationMembership.topUp.selector ||
            action == IFederationMembership.settleMissedReveal.selector ||
            action == IFederationMembership.requestExit.selector ||
            action == IFederationMembership.withdraw.selector
        ) return MEMBERSHIP;
        return VIEWS;
    }

    function _withCode(address module) private view returns (address) {
        // INVARIANT (C-67): what is delegated goes to code, not to nothing.
        if (module.code.length == 0) revert NoCode(module);
        return module;
    }
}
