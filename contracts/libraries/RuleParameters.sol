// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Combine, PreAggregation, Rule, ServerOptimizer, ServerStep} from "../types/FederationParameters.sol";

/// @title Which rules and server steps are possible
/// @dev The TypeScript twins are `minimumUpdates` in protocol/aggregation/rule.ts and `checkServerStep` in
///      serverStep.ts.
library RuleParameters {
    error ImpossibleRule(PreAggregation preAggregation, Combine combine, uint16 byzantine, uint16 selected);
    error ImpossibleServerStep(ServerOptimizer optimizer, uint32 learningRateQ16, uint32 momentumQ16);

    /// @notice Most participants in a round: the largest n whose fraud proofs fit in one transaction.
    uint16 internal constant MAX_PARTICIPANTS = 100;
    uint32 internal constant Q16 = 1 << 16;
    uint32 internal constant MAX_LEARNING_RATE_Q16 = 16 * Q16;

    /// @notice Fewest updates the rule is defined for: 2f+1; in the Krum family 2f+3 and at least m+f.
    /// @dev Blanchard et al. 2017, section 4; Yin et al. 2018; Allouah et al. 2023. Reverts with ImpossibleRule.
    function minimumUpdates(Rule memory rule) internal pure returns (uint16) {
        bool krum = rule.preAggregation == PreAggregation.MultiKrum;
        uint256 f = rule.byzantine;
        uint256 least = 2 * f + 1;
        if (krum) {
            least = 2 * f + 3;
            if (rule.selected + f > least) least = rule.selected + f;
        }
        // INVARIANT (C-60): Krum selects rows for a mean, m belongs to Krum, and some number of participants satisfies
        // the rule.
        bool possible = krum ? rule.combine == Combine.Mean : rule.selected == 0;
        if (!possible || least > MAX_PARTICIPANTS) {
            revert ImpossibleRule(rule.preAggregation, rule.combine, rule.byzantine, rule.selected);
        }
        // SAFETY: least <= 100.
        return uint16(least);
    }

    /// @notice 0 < learning rate <= 16, 0 <= momentum < 1, no momentum for FedAvg.
    /// @dev The bounds keep every product of the step exact (protocol/aggregation/serverStep.ts). Reverts with
    ///      ImpossibleServerStep.
    function checkServerStep(ServerStep memory step) internal pure {
        bool rate = step.learningRateQ16 > 0 && step.learningRateQ16 <= MAX_LEARNING_RATE_Q16;
        bool momentum = step.momentumQ16 < Q16 && (step.optimizer == ServerOptimizer.FedAvgM || step.momentumQ16 == 0);
        // INVARIANT (C-61): the server step stays within the bounds of its exact arithmetic.
        if (!rate || !momentum) revert ImpossibleServerStep(step.optimizer, step.learningRateQ16, step.momentumQ16);
    }
}
