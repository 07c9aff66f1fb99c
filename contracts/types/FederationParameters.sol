// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice How the Gram matrix decides which rows are mixed before the coordinate-wise combine (docs/spec/rules.md).
enum PreAggregation {
    None,
    MultiKrum,
    NearestNeighborMixing
}

/// @notice How the (mixed) rows become one row, coordinate by coordinate.
enum Combine {
    Mean,
    Median,
    TrimmedMean
}

/// @notice How the aggregate moves the model.
enum ServerOptimizer {
    FedAvg,
    FedAvgM
}

/// @notice A robust rule: pre-aggregation from the Gram matrix, then a coordinate-wise combine.
/// @param byzantine f, how many Byzantine participants the rule is asked to survive
/// @param selected m of Multi-Krum; 0 means n - f, computed when the round is aggregated
struct Rule {
    PreAggregation preAggregation;
    Combine combine;
    uint16 byzantine;
    uint16 selected;
}

/// @notice The server's optimiser in fixed point.
/// @param learningRateQ16 learning rate times 2^16
/// @param momentumQ16 momentum times 2^16, below 2^16; zero for FedAvg
struct ServerStep {
    ServerOptimizer optimizer;
    uint32 learningRateQ16;
    uint32 momentumQ16;
}

/// @notice Everything a federation fixes at creation. The order groups what one transaction reads into one storage
///         slot.
/// @param manifestCid 36-byte binary CIDv1 of the manifest (JSON)
/// @param genesisModelCid 36-byte binary CIDv1 of the model snapshot that round 1 starts from
/// @param genesisModelRoot root of that snapshot's tree
/// @param participantStake wei a participant must have at stake to take part
/// @param missedRevealPenalty wei burned for a commit that was not revealed, at most participantStake
/// @param withdrawalDelaySeconds from a request to exit to the earliest withdrawal
/// @param maxParticipants most participants registered at one time, at most 100
/// @param openMembership true: anyone may register; false: only members on the allow-list, in either role
/// @param normSqBound largest squared L2 norm of an encoded update; type(uint64).max = none
/// @param commitWindowSeconds time for commits, counted from the round's FIRST commit
/// @param revealWindowSeconds time for reveals, counted from the end of commits
/// @param aggregateWindowSeconds length of one aggregator's turn
/// @param challengeWindowSeconds from publication to the earliest finalization
/// @param totalRounds number of rounds; 0 = no end
/// @param minParticipants registered participants needed before round 1 opens
/// @param minUpdates fewest valid updates that are aggregated; at least what the rule needs
/// @param aggregatorStake wei an aggregator must put at stake to register
/// @param missedTurnPenalty wei burned for a turn missed, at most aggregatorStake
/// @param dimension d, coordinates of the model
/// @param chunkSize K, coordinates per leaf; a power of two
/// @param modelFractionBits F, fraction bits of a model coordinate
/// @param updateFractionBits G, fraction bits of an update coordinate
/// @param rule the aggregation rule
/// @param serverStep the server's optimiser
/// @param stakeToken the ERC-20 in which stakes, bonds and rewards are paid; zero for the chain's native coin
/// @param answerWindowSeconds time to answer an availability challenge
/// @param proofBond posted with a fraud proof; lost to the accused when the number was right
/// @param bondGasPrice wei (or token units) per unit of gas by which the bond of an availability challenge is sized
/// @param roundReward paid from the reward pool for a final round; 0 = none
/// @param aggregatorRewardBps the aggregator's part of it, in 1/10,000
/// @param contributionRewardBps how much of the participants' part follows the contribution score, in 1/10,000; the
///        rest is shared equally; 0 unless the rule has a Gram matrix
struct FederationParameters {
    bytes manifestCid;
    bytes genesisModelCid;
    bytes32 genesisModelRoot;
    // one slot (248 bits)
    uint96 participantStake;
    uint96 missedRevealPenalty;
    uint32 withdrawalDelaySeconds;
    uint16 maxParticipants;
    bool openMembership;
    // one slot: what a round reads (256 bits)
    uint64 normSqBound;
    uint32 commitWindowSeconds;
    uint32 revealWindowSeconds;
    uint32 aggregateWindowSeconds;
    uint32 challengeWindowSeconds;
    uint32 totalRounds;
    uint16 minParticipants;
    uint16 minUpdates;
    // one slot (256 bits)
    uint96 aggregatorStake;
    uint96 missedTurnPenalty;
    uint64 dimension;
    // read by disputes only
    uint32 chunkSize;
    uint8 modelFractionBits;
    uint8 updateFractionBits;
    Rule rule;
    ServerStep serverStep;
    // what money is at stake besides the stakes
    address stakeToken;
    uint96 proofBond;
    uint96 bondGasPrice;
    uint96 roundReward;
    uint32 answerWindowSeconds;
    uint16 aggregatorRewardBps;
    uint16 contributionRewardBps;
}
