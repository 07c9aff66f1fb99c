// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice A stage that mixes the rows, by what their Gram matrix says, before the coordinate-wise combine
///         (docs/spec/rules.md).
enum PreAggregation {
    None,
    MultiKrum,
    NearestNeighborMixing,
    Bucketing,
    AdaptiveClipping,
    IteratedKrum,
    GeometricMedian,
    CenteredClipping,
    MinimumDiameter,
    Monna,
    CovarianceFilter,
    FoolsGold,
    SignGuard,
    FlTrust
}

/// @notice How the (mixed) rows become one row, coordinate by coordinate.
enum Combine {
    Mean,
    Median,
    TrimmedMean,
    MeaMed,
    Bulyan
}

/// @notice How the aggregate moves the model.
enum ServerOptimizer {
    FedAvg,
    FedAvgM,
    FedAdagrad,
    FedAdam,
    FedYogi
}

/// @notice A robust rule: up to four pre-aggregations, one after the other, then a coordinate-wise combine.
/// @param preAggregations one stage (PreAggregation) a byte, the first to be applied in the lowest; 0 = no more
/// @param byzantine f, how many Byzantine participants the rule is asked to survive
/// @param selected m of Multi-Krum; 0 means n - f, computed when the round is aggregated
/// @param bucketSize s of bucketing; 0 without
/// @param iterations steps of the geometric median and of centred clipping; 0 without
/// @param referenceIndex index of the participant that MoNNA or FLTrust starts from; 0 without
/// @param radius of centred clipping, in units of 2^-G; 0 without
struct Rule {
    uint32 preAggregations;
    Combine combine;
    uint16 byzantine;
    uint16 selected;
    uint16 bucketSize;
    uint16 iterations;
    uint16 referenceIndex;
    uint64 radius;
}

/// @notice The server's optimiser in fixed point.
/// @param learningRateQ16 learning rate times 2^16
/// @param momentumQ16 momentum (beta1) times 2^16, below 2^16; zero for FedAvg
/// @param secondMomentQ16 beta2 of FedAdam and FedYogi times 2^16, below 2^16; else zero
/// @param adaptivity tau of FedAdagrad, FedAdam and FedYogi, above zero, in units of 2^-F; else zero
struct ServerStep {
    ServerOptimizer optimizer;
    uint32 learningRateQ16;
    uint32 momentumQ16;
    uint32 secondMomentQ16;
    uint32 adaptivity;
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
/// @param enforced true: every number of a publication has its fraud proof, so the rule is one that the contract can
///        judge; false: the rule may be any, and what an auditor finds against it convicts nobody
/// @param rule the aggregation rule
/// @param serverStep the server's optimiser
/// @param stakeToken the ERC-20 in which stakes, bonds and rewards are paid; zero for the chain's native coin
/// @param answerWindowSeconds time to answer an availability challenge
/// @param proofBond posted with a fraud proof; lost to the accused when the number was right
/// @param bondGasPrice wei (or token units) per unit of gas by which the bond of an availability challenge is sized
/// @param roundReward paid from the reward pool for a final round; 0 = none
/// @param aggregatorRewardBps the aggregator's part of it, in 1/10,000
/// @param contributionRewardBps how much of the participants' part follows the contribution score, in 1/10,000; the
///        rest is shared equally; 0 unless the rule has a Gram matrix whose numbers are enforced
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
    bool enforced;
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
