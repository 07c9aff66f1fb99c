// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {PreAggregation, Rule} from "../types/FederationParameters.sol";
import {CoordinateStep} from "./CoordinateStep.sol";
import {MixingMatrix} from "./MixingMatrix.sol";
import {RuleParameters} from "./RuleParameters.sol";

/// @title Whether a mixing matrix is the one that the rule makes of a Gram matrix
/// @notice Krum, Multi-Krum (Blanchard et al. 2017, sections 4 and 5), nearest-neighbour mixing (Allouah et al. 2023,
///         algorithm 2), bucketing (Karimireddy et al. 2022, algorithm 1) and adaptive clipping (Allouah et al. 2025,
///         algorithm 2). No row's neighbours are sorted: whoever brings the matrix has sorted, and a choice is right when
///         everything chosen comes before everything left out. That is O(n^2).
/// @dev Distances are |x_i|^2 + |x_j|^2 - 2 <x_i, x_j>. For one i the first term decides nothing, so j's KEY is
///      G[j][j] - 2 G[i][j]; with ties to the lower index, the order is that of key * 128 + j. Entries are sums of two
///      i64, so nothing overflows. The TypeScript twins are in protocol/aggregation/preAggregation/.
library MixingJudge {
    /// @param rule one that is enforceable, with a stage that is not bucketing; n suffices for it
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
        if (RuleParameters.isOnly(rule.preAggregations, PreAggregation.MultiKrum)) {
            return nearest.length == n && _isMultiKrum(rule, n, gram, mixing, nearest);
        }
        if (nearest.length != 0) return false;
        if (RuleParameters.isOnly(rule.preAggregations, PreAggregation.NearestNeighborMixing)) {
            return _isNearestNeighborMixing(rule, n, gram, mixing);
        }
        return _isAdaptiveClipping(rule, n, gram, mixing);
    }

    /// @notice The same for bucketing, whose matrix follows from the round's seed. Row r is the mean of the rows at places
    ///         r s, r s + 1, ... of the order that the seed gives (Fisher-Yates): place i is exchanged with
    ///         keccak256(seed | "bucketing" | u16 i) mod (i + 1), from the last one down.
    function isBucketing(
        Rule memory rule,
        uint256 n,
        bytes32 seed,
        bytes calldata mixing
    ) internal pure returns (bool) {
        (uint256 buckets, uint256 denominator) = MixingMatrix.shape(rule, n);
        if (!MixingMatrix.hasShape(mixing, buckets, n, denominator)) return false;
        uint256 size = rule.bucketSize;
        uint256[] memory order = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) order[i] = i;
        for (uint256 i = n - 1; i > 0; --i) {
            // SAFETY: n <= 100.
            uint256 j = uint256(keccak256(abi.encodePacked(seed, "bucketing", uint16(i)))) % (i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        // INVARIANT (C-154): the buckets are the seed's, which nobody knew before commits were closed.
        uint256[] memory bucketOf = new uint256[](n);
        for (uint256 place = 0; place < n; ++place) bucketOf[order[place]] = place / size;
        for (uint256 r = 0; r * size < n; ++r) {
            uint256 rows = n - r * size < size ? n - r * size : size;
            for (uint256 i = 0; i < n; ++i) {
                uint256 right = bucketOf[i] == r ? denominator / rows : 0;
                if (MixingMatrix.weightAt(mixing, r * n + i) != right) return false;
            }
        }
        return true;
    }

    /// @dev A diagonal: 2^14 where the squared norm is at most c^2, that of the row after the floor(2f(n-f)/n) longest;
    ///      else 2^14 c / |x|, rounded down.
    function _isAdaptiveClipping(
        Rule memory rule,
        uint256 n,
        int256[] memory gram,
        bytes calldata mixing
    ) private pure returns (bool) {
        int256[] memory squares = new int256[](n);
        for (uint256 i = 0; i < n; ++i) squares[i] = gram[i * n + i];
        CoordinateStep.sort(squares);
        // SAFETY: n > 2f, so fewer than n are clipped.
        int256 bound = squares[n - 1 - (2 * rule.byzantine * (n - rule.byzantine)) / n];
        if (bound < 0) bound = 0;
        for (uint256 i = 0; i < n; ++i) {
            uint256 right = MixingMatrix.WEIGHT_ONE;
            int256 square = gram[i * n + i];
            // SAFETY: 0 <= bound < square < 2^64.
            if (square > bound) right = Math.sqrt((right * right * uint256(bound)) / uint256(square));
            for (uint256 j = 0; j < n; ++j) {
                if (MixingMatrix.weightAt(mixing, i * n + j) != (i == j ? right : 0)) return false;
            }
        }
        return true;
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
