// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice The two staked roles. One address may hold both, with separate stakes.
enum Role {
    Participant,
    Aggregator
}

/// @notice A participant's account.
/// @param account its address; zero when nobody is registered
/// @param index its index: the lowest free one when it registered (registration order); rows of the update matrix
///        follow it
/// @param active true when it is expected in the rounds that open from now on
/// @param stake wei at stake
/// @param committedRound round of its latest commit, 0 when none
/// @param committedOpening opening that commit was made in; the commit is void when the round has another opening now
/// @param revealed true when that commit was revealed
/// @param exitRequestedAt unix seconds of its request to exit, 0 when none
/// @param penaltyDue wei that its next action, or anybody's `settleMissedReveal`, will burn for a reveal it missed.
///        When that leaves less than `participantStake`, it has to top up before it can commit again.
struct ParticipantView {
    address account;
    uint16 index;
    bool active;
    uint96 stake;
    uint64 committedRound;
    uint32 committedOpening;
    bool revealed;
    uint64 exitRequestedAt;
    uint96 penaltyDue;
}

/// @notice An aggregator's account.
/// @param account its address; zero when nobody is registered
/// @param activeFromRound first round in whose rotation it stands
/// @param activeUntilRound last round in whose rotation it stands; type(uint32).max = no end
/// @param stake wei at stake
/// @param exitRequestedAt unix seconds of its request to exit, 0 when none
struct AggregatorView {
    address account;
    uint32 activeFromRound;
    uint32 activeUntilRound;
    uint96 stake;
    uint64 exitRequestedAt;
}
