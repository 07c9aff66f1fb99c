// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {PreAggregation, Rule} from "../types/FederationParameters.sol";
import {RuleParameters} from "./RuleParameters.sol";

/// @title The mixing matrix as it was hashed
/// @notice 0x20 | u16 m | u16 n | u32 denominator | i32 weights..., row-major, big-endian: m rows over n updates with one
///         common denominator. Row r of the mixed updates is (sum over i of W[r][i] * U[i]) / denominator.
/// @dev The TypeScript twin is protocol/aggregation/preAggregation/mixing.ts.
library MixingMatrix {
    uint256 internal constant HEADER_BYTES = 9;
    uint256 internal constant TAG = 0x20;
    /// @notice 1.0 of weights that are no counts: adaptive clipping's.
    uint256 internal constant WEIGHT_ONE = 2 ** 14;

    /// @notice m and the denominator that an enforceable rule with a stage has for n updates.
    function shape(Rule memory rule, uint256 n) internal pure returns (uint256 rows, uint256 denominator) {
        if (RuleParameters.isOnly(rule.preAggregations, PreAggregation.MultiKrum)) {
            return (rule.selected == 0 ? n - rule.byzantine : rule.selected, 1);
        }
        if (RuleParameters.isOnly(rule.preAggregations, PreAggregation.NearestNeighborMixing)) {
            return (n, n - rule.byzantine);
        }
        if (RuleParameters.isOnly(rule.preAggregations, PreAggregation.Bucketing)) {
            uint256 size = rule.bucketSize;
            uint256 rest = n % size;
            // One over the number of its rows must be a whole weight for every bucket, also for the last one.
            uint256 common = n < size ? n : rest == 0 ? size : (size * rest) / _greatestCommonDivisor(size, rest);
            return ((n + size - 1) / size, common);
        }
        return (n, WEIGHT_ONE);
    }

    function _greatestCommonDivisor(uint256 a, uint256 b) private pure returns (uint256) {
        while (b != 0) (a, b) = (b, a % b);
        return a;
    }

    /// @notice Whether `mixing` has this shape and exactly as many weights.
    function hasShape(
        bytes calldata mixing,
        uint256 rows,
        uint256 n,
        uint256 denominator
    ) internal pure returns (bool) {
        if (mixing.length != HEADER_BYTES + 4 * rows * n) return false;
        // SAFETY: rows, n <= 100 and denominator <= 2^14 (of buckets below n^2).
        return uint72(bytes9(mixing[:9])) == (TAG << 64) | (rows << 48) | (n << 32) | denominator;
    }

    /// @notice The weight at a place of a matrix that has it, row-major, as an unsigned number.
    function weightAt(bytes calldata mixing, uint256 place) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(224, calldataload(add(add(mixing.offset, 9), mul(4, place))))
        }
    }

    /// @notice The mixed column: numerators of the m mixed rows at one coordinate. `mixing` has the shape (rows,
    ///         column.length).
    /// @dev Sums of at most 100 products of an int32 and an int16: no word overflows, whatever the weights are.
    function mix(
        bytes calldata mixing,
        uint256 rows,
        int256[] memory column
    ) internal pure returns (int256[] memory mixed) {
        mixed = new int256[](rows);
        assembly ("memory-safe") {
            let at := add(mixing.offset, 9)
            let first := add(column, 32)
            let end := add(first, shl(5, mload(column)))
            for { let r := 0 } lt(r, rows) { r := add(r, 1) } {
                let total := 0
                for { let c := first } lt(c, end) { c := add(c, 32) } {
                    let weight := sar(224, calldataload(at))
                    if weight { total := add(total, mul(weight, mload(c))) }
                    at := add(at, 4)
                }
                mstore(add(add(mixed, 32), shl(5, r)), total)
            }
        }
    }
}
