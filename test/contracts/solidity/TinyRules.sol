// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {TinyTrees} from "./TinyTrees.sol";

/// @notice For tests only: trimmed mean with or without nearest-neighbour mixing, FedAvg and FedAvgM, on tiny updates; written
///         plainly from docs/spec/rules.md without the contracts' libraries. f = 1, learning rate 1, momentum 1/2, F - G = 8.
library TinyRules {
    uint256 internal constant F = 1;
    int256 internal constant SHIFT = 2 ** 8;

    /// @dev Upper and lower triangle: all inner products.
    function gram(uint256[] memory seeds) internal pure returns (int256[][] memory g) {
        uint256 n = seeds.length;
        g = new int256[][](n);
        for (uint256 i = 0; i < n; ++i) {
            g[i] = new int256[](n);
            for (uint256 j = 0; j < n; ++j) {
                for (uint256 c = 0; c < TinyTrees.DIMENSION; ++c) {
                    g[i][j] += TinyTrees.coordinate(seeds[i], c) * TinyTrees.coordinate(seeds[j], c);
                }
            }
        }
    }

    /// @dev Row i: ones for its n - f nearest rows, itself always; ties to the lower index.
    function nearest(int256[][] memory g) internal pure returns (int256[][] memory w) {
        uint256 n = g.length;
        w = new int256[][](n);
        for (uint256 i = 0; i < n; ++i) {
            w[i] = new int256[](n);
            w[i][i] = 1;
            for (uint256 picked = 1; picked < n - F; ++picked) {
                uint256 best = n;
                for (uint256 j = 0; j < n; ++j) {
                    if (w[i][j] == 0 && (best == n || _distance(g, i, j) < _distance(g, i, best))) best = j;
                }
                w[i][best] = 1;
            }
        }
    }

    function _distance(int256[][] memory g, uint256 i, uint256 j) private pure returns (int256) {
        return g[i][i] + g[j][j] - 2 * g[i][j];
    }

    function mixingPreimage(int256[][] memory w) internal pure returns (bytes memory preimage) {
        uint256 n = w.length;
        preimage = abi.encodePacked(bytes1(0x20), uint16(n), uint16(n), uint32(n - F));
        for (uint256 i = 0; i < n; ++i) {
            for (uint256 j = 0; j < n; ++j) preimage = abi.encodePacked(preimage, int32(w[i][j]));
        }
    }

    // ---- the Gram tree: three chunks fit in one leaf, which is the root

    function gramRowPreimage(int256[][] memory g, uint256 i) internal pure returns (bytes memory preimage) {
        preimage = abi.encodePacked(bytes1(0x13));
        for (uint256 j = i; j < g.length; ++j) preimage = abi.encodePacked(preimage, int64(g[i][j]));
    }

    function gramMatrixPreimage(int256[][] memory g) internal pure returns (bytes memory preimage) {
        preimage = abi.encodePacked(bytes1(0x12));
        for (uint256 i = 0; i < g.length; ++i) {
            preimage = abi.encodePacked(preimage, sha256(gramRowPreimage(g, i)));
        }
    }

    function gramRoot(int256[][] memory g) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x10), sha256(gramMatrixPreimage(g))));
    }

    /// @dev The upper triangle, row by row.
    function gramTriangle(int256[][] memory g) internal pure returns (bytes memory triangle) {
        for (uint256 i = 0; i < g.length; ++i) {
            for (uint256 j = i; j < g.length; ++j) triangle = abi.encodePacked(triangle, int64(g[i][j]));
        }
    }

    // ---- aggregate and step

    /// @dev Trimmed mean of coordinate c over the (mixed) rows; `w` is empty when rows are not mixed.
    function combine(
        uint256[] memory seeds,
        int256[][] memory w,
        uint256 c
    ) internal pure returns (int256 numerator, int256 denominator) {
        uint256 n = seeds.length;
        int256[] memory values = new int256[](n);
        for (uint256 i = 0; i < n; ++i) {
            if (w.length == 0) values[i] = TinyTrees.coordinate(seeds[i], c);
            else for (uint256 j = 0; j < n; ++j) values[i] += w[i][j] * TinyTrees.coordinate(seeds[j], c);
        }
        for (uint256 i = 1; i < n; ++i) {
            for (uint256 j = i; j > 0 && values[j - 1] > values[j]; --j) {
                (values[j - 1], values[j]) = (values[j], values[j - 1]);
            }
        }
        for (uint256 i = F; i < n - F; ++i) numerator += values[i];
        denominator = int256(n - 2 * F) * (w.length == 0 ? int256(1) : int256(n - F));
    }

    /// @dev The next model and, with momentum, the next velocity (`velocity` empty: FedAvg).
    function step(
        uint256[] memory seeds,
        int256[][] memory w,
        bytes memory model,
        bytes memory velocity
    ) internal pure returns (bytes memory newModel, bytes memory newVelocity) {
        newModel = TinyTrees.emptyModel();
        if (velocity.length != 0) newVelocity = TinyTrees.emptyModel();
        for (uint256 c = 0; c < TinyTrees.DIMENSION; ++c) {
            (int256 numerator, int256 denominator) = combine(seeds, w, c);
            int256 direction = (numerator * SHIFT) / denominator;
            if (velocity.length != 0) {
                direction = _saturate(TinyTrees.modelAt(velocity, c) / 2 + direction);
                TinyTrees.setModelAt(newVelocity, c, direction);
            }
            TinyTrees.setModelAt(newModel, c, _saturate(TinyTrees.modelAt(model, c) + direction));
        }
    }

    function _saturate(int256 value) private pure returns (int256) {
        if (value > type(int32).max) return type(int32).max;
        if (value < type(int32).min) return type(int32).min;
        return value;
    }
}
