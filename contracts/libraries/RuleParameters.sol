// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Combine, PreAggregation, Rule, ServerOptimizer, ServerStep} from "../types/FederationParameters.sol";

/// @title Which rules and server steps are possible, and which of them the contract can enforce
/// @dev The TypeScript twins are in protocol/aggregation/rule.ts and `checkServerStep` in serverStep.ts.
library RuleParameters {
    /// @param needs what the rule would need
    error ImpossibleRule(uint32 preAggregations, Combine combine, uint16 byzantine, string needs);
    /// @notice The federation is to be enforced, and there is no fraud proof for this rule's numbers: choose another rule,
    ///         or create it with `enforced` false, for auditors to check.
    error RuleNotEnforceable(uint32 preAggregations, Combine combine);
    error ImpossibleServerStep(
        ServerOptimizer optimizer,
        uint32 learningRateQ16,
        uint32 momentumQ16,
        uint32 secondMomentQ16,
        uint32 adaptivity
    );

    /// @notice Most participants in a round: the largest n whose fraud proofs fit in one transaction.
    uint16 internal constant MAX_PARTICIPANTS = 100;
    uint32 internal constant Q16 = 1 << 16;
    uint32 internal constant MAX_LEARNING_RATE_Q16 = 16 * Q16;

    /// @notice Most stages of a rule.
    uint256 internal constant MAX_STAGES = 4;
    uint256 private constant MAX_ITERATIONS = 64;
    /// @dev Greatest f of minimum-diameter averaging, whose search may take 1.7^f steps.
    uint256 private constant MAX_DIAMETER_BYZANTINE = 12;

    // ---- sets of stages, a bit each

    uint256 private constant MULTI_KRUM = 1 << uint256(PreAggregation.MultiKrum);
    uint256 private constant NEAREST_NEIGHBOR_MIXING = 1 << uint256(PreAggregation.NearestNeighborMixing);
    uint256 private constant BUCKETING = 1 << uint256(PreAggregation.Bucketing);
    uint256 private constant ADAPTIVE_CLIPPING = 1 << uint256(PreAggregation.AdaptiveClipping);
    uint256 private constant ITERATED_KRUM = 1 << uint256(PreAggregation.IteratedKrum);
    uint256 private constant GEOMETRIC_MEDIAN = 1 << uint256(PreAggregation.GeometricMedian);
    uint256 private constant CENTERED_CLIPPING = 1 << uint256(PreAggregation.CenteredClipping);
    uint256 private constant MINIMUM_DIAMETER = 1 << uint256(PreAggregation.MinimumDiameter);
    uint256 private constant MONNA = 1 << uint256(PreAggregation.Monna);
    uint256 private constant SIGN_GUARD = 1 << uint256(PreAggregation.SignGuard);
    uint256 private constant FL_TRUST = 1 << uint256(PreAggregation.FlTrust);
    /// @dev Stages that leave rows for what follows; the others end in the aggregate and are last.
    uint256 private constant PREPARING = NEAREST_NEIGHBOR_MIXING | BUCKETING | ADAPTIVE_CLIPPING;
    /// @dev Stages that look for one participant's row, which bucketing would take away.
    uint256 private constant REFERENCES = MONNA | FL_TRUST;
    uint256 private constant ITERATING = GEOMETRIC_MEDIAN | CENTERED_CLIPPING;

    /// @notice Whether the rule is exactly this one stage.
    function isOnly(uint32 preAggregations, PreAggregation kind) internal pure returns (bool) {
        return preAggregations == uint32(uint8(kind));
    }

    /// @notice Whether the Gram matrix has one more row, for what centred clipping remembers of the rounds before.
    function usesHistory(uint32 preAggregations) internal pure returns (bool) {
        for (; preAggregations != 0; preAggregations >>= 8) {
            if (isOnly(preAggregations & 0xff, PreAggregation.CenteredClipping)) return true;
        }
        return false;
    }

    /// @notice Whether every number that the rule makes has a fraud proof.
    function isEnforceable(Rule memory rule) internal pure returns (bool) {
        bool judged = rule.preAggregations == 0 ||
            isOnly(rule.preAggregations, PreAggregation.MultiKrum) ||
            isOnly(rule.preAggregations, PreAggregation.NearestNeighborMixing) ||
            isOnly(rule.preAggregations, PreAggregation.Bucketing) ||
            isOnly(rule.preAggregations, PreAggregation.AdaptiveClipping);
        return judged && rule.combine != Combine.Bulyan;
    }

    /// @notice Fewest updates the rule is defined for, counted from its end: 2f+1 rows; for Krum 2f+3 and at least m+f
    ///         (Blanchard et al. 2017, section 4); for Bulyan 4f+3 (El Mhamdi et al. 2018, section 4). Buckets of s rows
    ///         leave one row of s, so r rows after bucketing need (r-1)s+1 before (Karimireddy et al. 2022).
    /// @dev Reverts with ImpossibleRule.
    function minimumUpdates(Rule memory rule) internal pure returns (uint16) {
        checkRule(rule);
        uint256 f = rule.byzantine;
        uint256 least = 2 * f + 1;
        for (uint256 i = MAX_STAGES; i > 0; --i) {
            uint256 stage = _stage(rule, i - 1);
            if (stage == MULTI_KRUM) least = rule.selected > f + 3 ? rule.selected + f : 2 * f + 3;
            else if (stage == ITERATED_KRUM) least = 4 * f + 3;
            else if (stage == BUCKETING) least = (least - 1) * rule.bucketSize + 1;
        }
        // INVARIANT (C-60): some number of participants satisfies the rule.
        if (least > MAX_PARTICIPANTS) _refuse(rule, "at most 100 updates");
        // SAFETY: least <= 100.
        return uint16(least);
    }

    /// @notice Refuses a rule that makes no sense, whatever the number of updates.
    /// @dev Reverts with ImpossibleRule.
    function checkRule(Rule memory rule) internal pure {
        uint256 stages;
        uint256 last;
        for (uint256 i = 0; i < MAX_STAGES && rule.preAggregations >> (8 * i) != 0; ++i) {
            uint256 stage = _stage(rule, i);
            // INVARIANT (C-60): stages there are, none twice, in an order that makes sense.
            if (stage == 1 || stage & stages != 0) _refuse(rule, "stages that there are, none twice");
            if (last & ~PREPARING != 0) _refuse(rule, "only NNM, bucketing and ARC before another stage");
            stages |= stage;
            last = stage;
        }
        _checkLast(rule, stages, last);
        _checkOptions(rule, stages);
    }

    /// @dev What the last stage needs of f, of the combine and of the stages before.
    function _checkLast(Rule memory rule, uint256 stages, uint256 last) private pure {
        // INVARIANT (C-60): a combine that makes sense after the last stage.
        if ((last == ITERATED_KRUM) != (rule.combine == Combine.Bulyan)) {
            _refuse(rule, "Bulyan's selection with Bulyan's combine");
        }
        if (last & ~(PREPARING | ITERATED_KRUM) != 0 && rule.combine != Combine.Mean) {
            _refuse(rule, "a mean after a stage that ends in one row");
        }
        if (last == MINIMUM_DIAMETER && rule.byzantine > MAX_DIAMETER_BYZANTINE) {
            _refuse(rule, "minimum-diameter averaging with f up to 12");
        }
        if (last == SIGN_GUARD && stages != last) _refuse(rule, "SignGuard on the updates themselves");
        if (last & REFERENCES != 0 && stages & BUCKETING != 0) {
            _refuse(rule, "no buckets before a stage that looks for one participant");
        }
    }

    /// @dev What the stages need of the options; and nothing that they would ignore.
    function _checkOptions(Rule memory rule, uint256 stages) private pure {
        // INVARIANT (C-60): a parameter exactly where it is needed, within its bounds.
        if (stages & MULTI_KRUM == 0 && rule.selected != 0) _refuse(rule, "m for the Krum family only");
        if ((stages & BUCKETING != 0) != (rule.bucketSize != 0)) _refuse(rule, "a bucket size, for bucketing only");
        if ((stages & ITERATING != 0) != (rule.iterations != 0) || rule.iterations > MAX_ITERATIONS) {
            _refuse(rule, "1 to 64 iterations, where there are any");
        }
        if (stages & REFERENCES == 0 && rule.referenceIndex != 0) {
            _refuse(rule, "a reference for MoNNA and FLTrust only");
        }
        if ((stages & CENTERED_CLIPPING != 0) != (rule.radius != 0)) {
            _refuse(rule, "a radius, for centred clipping only");
        }
    }

    /// @dev The stage at a position, as a bit; 1 (None) when there is none, or one that nobody knows.
    function _stage(Rule memory rule, uint256 position) private pure returns (uint256) {
        uint256 kind = (rule.preAggregations >> (8 * position)) & 0xff;
        return kind > uint256(type(PreAggregation).max) ? 1 : 1 << kind;
    }

    function _refuse(Rule memory rule, string memory needs) private pure {
        revert ImpossibleRule(rule.preAggregations, rule.combine, rule.byzantine, needs);
    }

    /// @notice 0 < learning rate <= 16; 0 <= momentum, beta2 < 1; and nothing that the optimiser would ignore.
    /// @dev The bounds keep every product of the step exact (protocol/aggregation/serverStep.ts). Reverts with
    ///      ImpossibleServerStep.
    function checkServerStep(ServerStep memory step) internal pure {
        ServerOptimizer optimizer = step.optimizer;
        bool adaptive = optimizer >= ServerOptimizer.FedAdagrad;
        bool decays = optimizer >= ServerOptimizer.FedAdam;
        bool rate = step.learningRateQ16 > 0 && step.learningRateQ16 <= MAX_LEARNING_RATE_Q16;
        bool momentum = step.momentumQ16 < (optimizer == ServerOptimizer.FedAvg ? 1 : Q16);
        bool secondMoment = step.secondMomentQ16 < (decays ? Q16 : 1);
        // INVARIANT (C-61): the server step stays within the bounds of its exact arithmetic, and divides by no zero.
        if (!rate || !momentum || !secondMoment || (step.adaptivity > 0) != adaptive) {
            revert ImpossibleServerStep(
                optimizer,
                step.learningRateQ16,
                step.momentumQ16,
                step.secondMomentQ16,
                step.adaptivity
            );
        }
    }
}
