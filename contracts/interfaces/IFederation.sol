// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IFederationActions} from "./IFederationActions.sol";
import {IFederationAvailability} from "./IFederationAvailability.sol";
import {IFederationGramProofs, IFederationProofs} from "./IFederationProofs.sol";
import {IFederationMembership} from "./IFederationMembership.sol";
import {IFederationRelay} from "./IFederationRelay.sol";
import {IFederationRewards} from "./IFederationRewards.sol";
import {IFederationViews} from "./IFederationViews.sol";

/// @title One federation: a joint training effort as a chain of rounds
/// @notice Open -> Commit -> Reveal -> Aggregate -> Challenge -> Final, or Abandoned. The next round opens as soon as a
///         round is published (optimistic); finality follows in order. A voided publication returns its round to
///         Aggregate and takes the rounds built on it with it.
///
///         Windows are deadlines, not delays: a phase closes at once when everybody who is expected has acted. A
///         deadline is the first second that is too late. Every call first does the transitions whose deadline has
///         passed; views show them as done.
///
///         Assumptions for SAFETY: SHA-256 and Keccak-256 are collision resistant; the chain does not reorganise deeper
///         than the challenge window; a block's proposer does not also close the commits of a round whose rule uses the
///         seed (no rule of this version does).
///         Assumptions for LIVENESS: at least `minUpdates` participants keep committing and revealing; at least one
///         staked aggregator publishes in one of its turns (in a closed federation the owner can add one).
interface IFederation is
    IFederationActions,
    IFederationMembership,
    IFederationRelay,
    IFederationProofs,
    IFederationGramProofs,
    IFederationAvailability,
    IFederationRewards,
    IFederationViews
{}
