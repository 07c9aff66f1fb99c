// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {FederationParameters} from "../types/FederationParameters.sol";
import {Cid} from "./Cid.sol";
import {RuleParameters} from "./RuleParameters.sol";

/// @title Refuses at creation what would fail, or never end, in a round
library ParameterValidation {
    /// @param name the parameter, as it is called in FederationParameters
    error ParameterOutOfRange(string name, uint256 value, uint256 min, uint256 max);
    error ChunkSizeNotPowerOfTwo(uint32 chunkSize);
    error ZeroGenesisModelRoot();

    uint256 internal constant MAX_WINDOW_SECONDS = 365 days;
    uint256 internal constant MAX_DIMENSION = 2 ** 32;
    /// @notice Most coordinates that one proof reads, a chunk of every update: 100 updates with K = 1024.
    uint256 internal constant MAX_PROOF_COORDINATES = 102_400;
    uint256 internal constant MAX_MODEL_FRACTION_BITS = 30;
    uint256 internal constant MAX_FRACTION_SHIFT = 16;

    function validate(FederationParameters calldata p) internal pure {
        Cid.check(p.manifestCid);
        Cid.check(p.genesisModelCid);
        // INVARIANT (C-62): a zero root proves nothing, so no model has it.
        if (p.genesisModelRoot == bytes32(0)) revert ZeroGenesisModelRoot();

        // INVARIANT (C-63): the encoding is one that both twins implement.
        _range("dimension", p.dimension, 1, MAX_DIMENSION);
        _range("chunkSize", p.chunkSize, 16, 4096);
        if (p.chunkSize & (p.chunkSize - 1) != 0) revert ChunkSizeNotPowerOfTwo(p.chunkSize);
        _range("modelFractionBits", p.modelFractionBits, 1, MAX_MODEL_FRACTION_BITS);
        uint256 minBits = p.modelFractionBits > MAX_FRACTION_SHIFT ? p.modelFractionBits - MAX_FRACTION_SHIFT : 1;
        _range("updateFractionBits", p.updateFractionBits, minBits, p.modelFractionBits);
        _range("normSqBound", p.normSqBound, 1, type(uint64).max);

        // INVARIANT (C-151): an enforced federation has a rule whose every number has its fraud proof.
        if (p.enforced && !RuleParameters.isEnforceable(p.rule)) {
            revert RuleParameters.RuleNotEnforceable(p.rule.preAggregations, p.rule.combine);
        }

        // INVARIANT (C-64): minUpdates suffices for the rule, and that many participants can be there.
        RuleParameters.checkServerStep(p.serverStep);
        _range("maxParticipants", p.maxParticipants, 1, RuleParameters.MAX_PARTICIPANTS);
        _range("minParticipants", p.minParticipants, 1, p.maxParticipants);
        // INVARIANT (C-96): every fraud proof fits in one transaction (EIP-7825), at the price of calldata (EIP-7623).
        _range("chunkSize", p.chunkSize, 16, MAX_PROOF_COORDINATES / p.maxParticipants);
        _range("minUpdates", p.minUpdates, RuleParameters.minimumUpdates(p.rule), p.minParticipants);
        // INVARIANT (C-156): a rule that starts from one participant's row names a participant that there can be.
        _range("referenceIndex", p.rule.referenceIndex, 0, p.maxParticipants - 1);

        // INVARIANT (C-65): a penalty can always be paid by the stake that stands for it.
        _range("missedRevealPenalty", p.missedRevealPenalty, 0, p.participantStake);
        _range("missedTurnPenalty", p.missedTurnPenalty, 0, p.aggregatorStake);

        // INVARIANT (C-66): every window ends, and none is empty.
        _range("commitWindowSeconds", p.commitWindowSeconds, 1, MAX_WINDOW_SECONDS);
        _range("revealWindowSeconds", p.revealWindowSeconds, 1, MAX_WINDOW_SECONDS);
        _range("aggregateWindowSeconds", p.aggregateWindowSeconds, 1, MAX_WINDOW_SECONDS);
        _range("challengeWindowSeconds", p.challengeWindowSeconds, 1, MAX_WINDOW_SECONDS);
        _range("withdrawalDelaySeconds", p.withdrawalDelaySeconds, 0, MAX_WINDOW_SECONDS);
        _range("answerWindowSeconds", p.answerWindowSeconds, 1, MAX_WINDOW_SECONDS);

        // INVARIANT (C-111): a price per gas that makes a bond of 96 bits: else nobody could ask for a chunk.
        _range("bondGasPrice", p.bondGasPrice, 0, type(uint64).max);

        // INVARIANT (C-69): shares are parts of a whole, and a score needs the matrix it is computed from: one that is
        // enforced, or whoever publishes could divide the reward as he likes.
        _range("aggregatorRewardBps", p.aggregatorRewardBps, 0, 10_000);
        bool scored = p.enforced && p.rule.preAggregations != 0;
        _range("contributionRewardBps", p.contributionRewardBps, 0, scored ? 10_000 : 0);
    }

    function _range(string memory name, uint256 value, uint256 min, uint256 max) private pure {
        if (value < min || value > max) revert ParameterOutOfRange(name, value, min, max);
    }
}
