// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice The life of a round, in order. `None` is a round that is not open (yet, or not any more since a parent was
///         voided).
enum RoundPhase {
    None,
    Open,
    Commit,
    Reveal,
    Aggregate,
    Challenge,
    Final,
    Abandoned
}

/// @notice What a leader publishes for a round.
/// @param modelRoot root of the new model snapshot's tree
/// @param stateRoot root of the server optimiser's state; zero when it has none
/// @param gramRoot root over the partial Gram matrices; zero when the rule needs none
/// @param mixingHash hash of the integer mixing matrix; zero when the rule needs none
/// @param submissionSet keccak256(abi.encode(accumulator, voidedBitmap)): the submissions it was computed from
/// @param modelCid 36-byte binary CIDv1 of the new model snapshot
/// @param evidenceCid 36-byte binary CIDv1 of the round's evidence
struct Publication {
    bytes32 modelRoot;
    bytes32 stateRoot;
    bytes32 gramRoot;
    bytes32 mixingHash;
    bytes32 submissionSet;
    bytes modelCid;
    bytes evidenceCid;
}

/// @notice A round as of now: transitions whose deadline has passed are shown as done, whether or not anybody poked.
/// @param number the round, from 1
/// @param phase the phase as of now
/// @param opening number of this opening of the round; grows with every round opened or reopened, never repeats
/// @param deadline unix seconds, the first moment that is too late for the phase (Aggregate: for the turn; Challenge:
///        the first moment the round may be finalized); 0 when the phase has no deadline
/// @param expected participants who may commit in this opening; the phase Commit closes early when all of them have
/// @param committed commits received
/// @param revealed updates revealed, voided ones included
/// @param turn number of the aggregators' turn, from 0; grows without end
/// @param leader who may publish in this turn; zero when no aggregator is active or the round is not in Aggregate
/// @param accumulator running hash of the reveals in their order
/// @param seed the round's randomness; zero until it is fixed
/// @param baseModelRoot root of the model the round starts from
/// @param modelRoot root of the published model; the base's for an abandoned round; zero before
/// @param publicationHash keccak256(abi.encode(Publication)); zero before
/// @param aggregator who published; zero before
/// @param publishedAt unix seconds; zero before
/// @param voidedBitmap bit i set: the submission of the participant with index i is void
/// @param openChallenges availability challenges of the round that wait for an answer
/// @param holdUntil unix seconds before which challenges keep the round from becoming final; 0 when none did
struct RoundView {
    uint64 number;
    RoundPhase phase;
    uint32 opening;
    uint64 deadline;
    uint16 expected;
    uint16 committed;
    uint16 revealed;
    uint32 turn;
    address leader;
    bytes32 accumulator;
    bytes32 seed;
    bytes32 baseModelRoot;
    bytes32 modelRoot;
    bytes32 publicationHash;
    address aggregator;
    uint64 publishedAt;
    uint256 voidedBitmap;
    uint16 openChallenges;
    uint64 holdUntil;
}
