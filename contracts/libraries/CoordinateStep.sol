// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Combine, Rule, ServerOptimizer, ServerStep} from "../types/FederationParameters.sol";
import {MixingMatrix} from "./MixingMatrix.sol";
import {ServerState, StateCoordinate} from "./ServerState.sol";

/// @title One coordinate of the next model, from the (mixed) updates' values at it
/// @notice combine: mean, median (Yin et al. 2018, definition 1), trimmed mean (definition 2), mean around the median
///         (Xie et al. 2018, definition 3), as a numerator over a denominator; then the server step in fixed point
///         (ServerState). Every division truncates toward zero. docs/spec/rules.md.
/// @dev The TypeScript twins are protocol/aggregation/combine/ and serverStep.ts. There, bounds keep float64 exact;
///      here every value has 256 bits: at most 100 rows of 100 products of int32 and int16, times 2^16 and 2^20.
library CoordinateStep {
    /// @notice The combined update at the coordinate in units of the model, an int32, from the values that the n valid
    ///         updates have at it.
    /// @param shift F - G
    /// @param column n values in the order of participant indices; n suffices for the rule
    /// @param mixing the published mixing matrix, of the rule's shape; not read by a rule without
    function delta(
        Rule memory rule,
        uint256 shift,
        int256[] memory column,
        bytes calldata mixing
    ) internal pure returns (int256) {
        int256 mixedOver = 1;
        if (rule.preAggregations != 0) {
            (uint256 rows, uint256 denominator_) = MixingMatrix.shape(rule, column.length);
            column = MixingMatrix.mix(mixing, rows, column);
            mixedOver = int256(denominator_);
        }
        (int256 numerator, int256 denominator) = combine(rule.combine, rule.byzantine, column);
        return saturateInt32((numerator * int256(uint256(1) << shift)) / (denominator * mixedOver));
    }

    /// @notice The next weight of a step without state: FedAvg (McMahan et al. 2017).
    function move(ServerStep memory serverStep, int256 weight, int256 delta_) internal pure returns (int256) {
        return saturateInt32(weight + (int256(uint256(serverStep.learningRateQ16)) * delta_) / 65536);
    }

    /// @notice The next weight, from the PUBLISHED next state.
    /// @param fractionBits F
    function moveByState(
        ServerStep memory serverStep,
        uint256 fractionBits,
        int256 weight,
        StateCoordinate memory state
    ) internal pure returns (int256) {
        if (serverStep.optimizer == ServerOptimizer.FedAvgM) return move(serverStep, weight, state.momentum);
        int256 ratio = ServerState.ratio(serverStep, state);
        int256 scale = int256(uint256(1) << (32 - fractionBits));
        return saturateInt32(weight + (int256(uint256(serverStep.learningRateQ16)) * ratio) / scale);
    }

    /// @notice Numerator and denominator of one coordinate. Sorts `column`, which has more than 2f values (not read by
    ///         the mean).
    /// @param kind one that is enforceable (RuleParameters): not Bulyan's
    function combine(
        Combine kind,
        uint256 f,
        int256[] memory column
    ) internal pure returns (int256 numerator, int256 denominator) {
        uint256 m = column.length;
        if (kind == Combine.Mean) return (_sum(column, 0, m), int256(m));
        sort(column);
        if (kind == Combine.TrimmedMean) return (_sum(column, f, m - f), int256(m - 2 * f));
        if (kind == Combine.MeaMed) {
            uint256 from = nearestTheMedian(column, m - f);
            return (_sum(column, from, from + m - f), int256(m - f));
        }
        if (m % 2 == 1) return (column[m / 2], 1);
        return (column[m / 2 - 1] + column[m / 2], 2);
    }

    /// @notice Where the `count` values nearest the median begin. Of two values equally far on either side the lower one
    ///         is nearer: a question of values, so the order of rows decides nothing (docs/decisions/0016).
    /// @param sorted ascending
    function nearestTheMedian(int256[] memory sorted, uint256 count) internal pure returns (uint256 from) {
        uint256 m = sorted.length;
        // Twice the median.
        int256 center = sorted[(m - 1) / 2] + sorted[m / 2];
        // The value that would come in is nearer than the one that would go: high - median < median - low.
        while (from + count < m && sorted[from + count] + sorted[from] < center) ++from;
    }

    function saturateInt32(int256 value) internal pure returns (int256) {
        if (value > type(int32).max) return type(int32).max;
        if (value < type(int32).min) return type(int32).min;
        return value;
    }

    /// @notice Sorts in place, ascending. Insertion sort: at most 100 values.
    function sort(int256[] memory values) internal pure {
        assembly ("memory-safe") {
            let first := add(values, 32)
            let end := add(first, shl(5, mload(values)))
            for { let next := add(first, 32) } lt(next, end) { next := add(next, 32) } {
                let value := mload(next)
                let hole := next
                for { } gt(hole, first) { } {
                    let other := mload(sub(hole, 32))
                    if iszero(sgt(other, value)) { break }
                    mstore(hole, other)
                    hole := sub(hole, 32)
                }
                mstore(hole, value)
            }
        }
    }

    /// @dev Of the values at positions from <= i < to.
    function _sum(int256[] memory values, uint256 from, uint256 to) private pure returns (int256 total) {
        for (uint256 i = from; i < to; ++i) total += values[i];
    }
}
