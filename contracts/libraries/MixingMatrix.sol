// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {PreAggregation, Rule} from "../types/FederationParameters.sol";

/// @title The mixing matrix as it was hashed
/// @notice 0x20 | u16 m | u16 n | u32 denominator | i32 weights..., row-major, big-endian: m rows over n updates with one
///         common denominator. Row r of the mixed updates is (sum over i of W[r][i] * U[i]) / denominator.
/// @dev The TypeScript twin is protocol/aggregation/preAggregation/mixing.ts.
library MixingMatrix {
    uint256 internal constant HEADER_BYTES = 9;
    uint256 internal constant TAG = 0x20;

    /// @notice m and the denominator that the rule has for n updates.
    function shape(Rule memory rule, uint256 n) internal pure returns (uint256 rows, uint256 denominator) {
        if (rule.preAggregation == PreAggregation.MultiKrum) {
            return (rule.selected == 0 ? n - rule.byzantine : rule.selected, 1);
        }
        if (rule.preAggregation == PreAggregation.NearestNeighborMixing) return (n, n - rule.byzantine);
        return (n, 1);
    }

    /// @notice Whether `mixing` has this shape and exactly as many weights.
    function hasShape(
        bytes calldata mixing,
        uint256 rows,
        uint256 n,
        uint256 denominator
    ) internal pure returns (bool) {
        if (mixing.length != HEADER_BYTES + 4 * rows * n) return false;
        // SAFETY: rows, n <= 100 and denominator <= 100.
        return uint72(bytes9(mixing[:9])) == (TAG << 64) | (rows << 48) | (n << 32) | denominator;
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
