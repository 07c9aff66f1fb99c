// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {PreAggregation, Rule} from "../types/FederationParameters.sol";
import {MixingMatrix} from "./MixingMatrix.sol";

/// @title Whether a mixing matrix is the one that the rule makes of a Gram matrix
/// @notice Krum, Multi-Krum (Blanchard et al. 2017, sections 4 and 5) and nearest-neighbour mixing (Allouah et al. 2023,
///         algorithm 2). Nothing is sorted: whoever brings the matrix has sorted, and a choice is right when everything
///         chosen comes before everything left out. That is O(n^2).
/// @dev Distances are |x_i|^2 + |x_j|^2 - 2 <x_i, x_j>. For one i the first term decides nothing, so j's KEY is
///      G[j][j] - 2 G[i][j]; with ties to the lower index, the order is that of key * 128 + j. Entries are sums of two
///      i64, so nothing overflows. The TypeScript twins are in protocol/aggregation/preAggregation/.
library MixingJudge {
    /// @param rule its pre-aggregation is not None; n suffices for it
    /// @param gram n x n, symmetric
    /// @param mixing the matrix, as it is hashed
    /// @param nearest Krum: for each row the bitmap of its n - f - 2 nearest others; else empty
    function isRight(
        Rule memory rule,
        uint256 n,
        int256[] memory gram,
        bytes calldata mixing,
        uint256[] calldata nearest
    ) internal pure returns (bool) {
        (uint256 rows, uint256 denominator) = MixingMatrix.shape(rule, n);
        if (!MixingMatrix.hasShape(mixing, rows, n, denominator)) return false;
        if (rule.preAggregation == PreAggregation.MultiKrum) {
            return nearest.length == n && _isMultiKrum(rule, n, gram, mixing, nearest);
        }
        return nearest.length == 0 && _isNearestNeighborMixing(rule, n, gram, mixing);
    }

    /// @dev Row i has ones for i itself and its n - f - 1 nearest others.
    function _isNearestNeighborMixing(
        Rule memory rule,
        uint256 n,
        int256[] memory gram,
        bytes calldata mixing
    ) private pure returns (bool) {
        for (uint256 i = 0; i < n; ++i) {
            (uint256 chosen, bool ok) = _row(mixing, n, i);
            uint256 self = uint256(1) << i;
            if (!ok || chosen & self == 0 || _count(chosen) != n - rule.byzantine) return false;
            (int256 last, int256 first, ) = _compare(gram, n, i, chosen ^ self);
            if (last >= first) return false;
        }
        return true;
    }

    /// @dev Row r has a single one; their places ascend and are those of the m lowest scores.
    function _isMultiKrum(
        Rule memory rule,
        uint256 n,
        int256[] memory gram,
        bytes calldata mixing,
        uint256[] calldata nearest
    ) private pure returns (bool) {
        uint256 selected = 0;
        (uint256 rows, ) = MixingMatrix.shape(rule, n);
        for (uint256 r = 0; r < rows; ++r) {
            (uint256 chosen, bool ok) = _row(mixing, n, r);
            // One bit, above all the bits before it.
            if (!ok || chosen <= selected || _count(chosen) != 1) return false;
            selected |= chosen;
        }
        int256 last = type(int256).min;
        int256 first = type(int256).max;
        for (uint256 i = 0; i < n; ++i) {
            uint256 others = nearest[i];
            if (others >> n != 0 || others & (uint256(1) << i) != 0) return false;
            if (_count(others) != n - rule.byzantine - 2) return false;
            (int256 lastOther, int256 firstOther, int256 keys) = _compare(gram, n, i, others);
            if (lastOther >= firstOther) return false;
            int256 score = keys + int256(n - rule.byzantine - 2) * gram[i * n + i];
            int256 place = score * 128 + int256(i);
            if (selected & (uint256(1) << i) != 0) {
                if (place > last) last = place;
            } else if (place < first) {
                first = place;
            }
        }
        return last < first;
    }

    /// @dev Of the others of row i: the greatest place among the chosen, the least among the rest, and the sum of the
    ///      chosen ones' keys.
    function _compare(
        int256[] memory gram,
        uint256 n,
        uint256 i,
        uint256 chosen
    ) private pure returns (int256 last, int256 first, int256 keys) {
        last = type(int256).min;
        first = type(int256).max;
        assembly ("memory-safe") {
            let diagonal := add(gram, 32)
            let entry := add(diagonal, shl(5, mul(i, n)))
            let stride := shl(5, add(n, 1))
            for { let j := 0 } lt(j, n) { j := add(j, 1) } {
                if sub(j, i) {
                    let key := sub(mload(diagonal), shl(1, mload(entry)))
                    let place := add(shl(7, key), j)
                    switch and(shr(j, chosen), 1)
                    case 1 {
                        keys := add(keys, key)
                        if sgt(place, last) { last := place }
                    }
                    default {
                        if slt(place, first) { first := place }
                    }
                }
                diagonal := add(diagonal, stride)
                entry := add(entry, 32)
            }
        }
    }

    /// @dev Row r of a matrix of zeros and ones as a bitmap; not ok when it has another weight.
    function _row(bytes calldata mixing, uint256 n, uint256 r) private pure returns (uint256 chosen, bool ok) {
        assembly ("memory-safe") {
            ok := 1
            let at := add(add(mixing.offset, 9), mul(r, mul(4, n)))
            for { let j := 0 } lt(j, n) { j := add(j, 1) } {
                let weight := shr(224, calldataload(at))
                if gt(weight, 1) { ok := 0 }
                chosen := or(chosen, shl(j, weight))
                at := add(at, 4)
            }
        }
    }

    function _count(uint256 bits) private pure returns (uint256 count) {
        for (; bits != 0; bits &= bits - 1) ++count;
    }
}
