// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Combine, PreAggregation, Rule, ServerOptimizer, ServerStep} from "../types/FederationParameters.sol";
import {MixingMatrix} from "./MixingMatrix.sol";

/// @title One coordinate of the next model, from the (mixed) updates' values at it
/// @notice combine: mean, median (Yin et al. 2018, definition 1), trimmed mean (definition 2), as a numerator over a
///         denominator; then the server step in fixed point (McMahan et al. 2017; Hsu et al. 2019). Every division
///         truncates toward zero. docs/spec/rules.md.
/// @dev The TypeScript twins are protocol/aggregation/combine/ and serverStep.ts. There, bounds keep float64 exact;
///      here every value has 256 bits: at most 100 rows of 100 products of int32 and int16, times 2^16 and 2^20.
library CoordinateStep {
    /// @notice Where the server step moves the coordinate, from the values that the n valid updates have at it: FedAvg's
    ///         delta, FedAvgM's next velocity.
    /// @param shift F - G
    /// @param column n values in the order of participant indices; n suffices for the rule
    /// @param mixing the published mixing matrix, of the rule's shape; not read by a rule without
    /// @param velocity not read for FedAvg
    function direction(
        Rule memory rule,
        ServerStep memory serverStep,
        uint256 shift,
        int256[] memory column,
        bytes calldata mixing,
        int256 velocity
    ) internal pure returns (int256) {
        int256 mixedOver = 1;
        if (rule.preAggregation != PreAggregation.None) {
            (uint256 rows, uint256 denominator_) = MixingMatrix.shape(rule, column.length);
            column = MixingMatrix.mix(mixing, rows, column);
            mixedOver = int256(denominator_);
        }
        (int256 numerator, int256 denominator) = combine(rule.combine, rule.byzantine, column);
        int256 delta = (numerator * int256(uint256(1) << shift)) / (denominator * mixedOver);
        if (serverStep.optimizer != ServerOptimizer.FedAvgM) return delta;
        return saturateInt32((int256(uint256(serverStep.momentumQ16)) * velocity) / 65536 + delta);
    }

    /// @notice The next weight.
    function move(
        ServerStep memory serverStep,
        int256 weight,
        int256 direction_
    ) internal pure returns (int256) {
        return saturateInt32(weight + (int256(uint256(serverStep.learningRateQ16)) * direction_) / 65536);
    }

    /// @notice Numerator and denominator of one coordinate. Sorts `column`, which has more than 2f values (not read by
    ///         the mean).
    function combine(
        Combine kind,
        uint256 f,
        int256[] memory column
    ) internal pure returns (int256 numerator, int256 denominator) {
        uint256 m = column.length;
        if (kind == Combine.Mean) return (_sum(column, 0, m), int256(m));
        sort(column);
        if (kind == Combine.TrimmedMean) return (_sum(column, f, m - f), int256(m - 2 * f));
        if (m % 2 == 1) return (column[m / 2], 1);
        return (column[m / 2 - 1] + column[m / 2], 2);
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
