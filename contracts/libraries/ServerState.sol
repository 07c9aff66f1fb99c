// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ServerOptimizer, ServerStep} from "../types/FederationParameters.sol";
import {ModelOpening} from "./ModelOpening.sol";

/// @notice What the server remembers about a coordinate from round to round.
/// @param momentum int32: FedAvgM's velocity, the adaptive steps' m
/// @param secondMoment uint64: v of the adaptive steps; zero for FedAvgM
struct StateCoordinate {
    int256 momentum;
    uint256 secondMoment;
}

/// @title The state of the server's optimiser, in fixed point
/// @notice FedAvgM (Hsu et al. 2019, equation 1):  m' = sat(trunc(beta1 m / 2^16) + delta)
///         FedAdagrad, FedAdam, FedYogi (Reddi et al. 2021, algorithm 2), with s = delta^2:
///
///             m' = sat(trunc((beta1 m + (2^16 - beta1) delta) / 2^16))
///             v' = v + s                                                             FedAdagrad
///                  floor((beta2 v + (2^16 - beta2) s) / 2^16)                        FedAdam
///                  v +- floor((2^16 - beta2) |s - v| / 2^16), toward s               FedYogi
///                  and at most 2^62 - 1
///             ratio = clamp(trunc(m' 2^16 / (isqrt(v') + tau)), +-(2^31 - 1))
///
/// @dev sat: to an int32. A chunk of the state is m of every coordinate, then the low, then the high 32 bits of v: planes
///      of K. Nothing overflows, whatever somebody published as m and v: |m|, |delta| <= 2^31, v < 2^64. The TypeScript
///      twin is protocol/aggregation/serverStep.ts; both are held to test/vectors/.
library ServerState {
    uint256 private constant ONE = 1 << 16;
    uint256 private constant MOST = 2 ** 62 - 1;

    /// @notice Vectors that a step's state consists of, so planes in a chunk of it.
    function vectors(ServerOptimizer optimizer) internal pure returns (uint256) {
        if (optimizer == ServerOptimizer.FedAvg) return 0;
        return optimizer == ServerOptimizer.FedAvgM ? 1 : 3;
    }

    /// @notice The state of coordinate `k` in an opened chunk.
    function read(
        bytes calldata chunk,
        uint256 planes,
        uint256 chunkSize,
        uint256 k
    ) internal pure returns (StateCoordinate memory state) {
        state.momentum = ModelOpening.coordinate(chunk, k);
        if (planes == 1) return state;
        // SAFETY: the halves as they stand in the chunk, without a sign.
        uint256 low = uint32(int32(ModelOpening.coordinate(chunk, chunkSize + k)));
        uint256 high = uint32(int32(ModelOpening.coordinate(chunk, 2 * chunkSize + k)));
        state.secondMoment = (high << 32) | low;
    }

    /// @notice The next state.
    /// @param step one with state
    /// @param delta the combined update in units of the model, an int32
    function next(
        ServerStep memory step,
        StateCoordinate memory state,
        int256 delta
    ) internal pure returns (StateCoordinate memory moved) {
        int256 beta = int256(uint256(step.momentumQ16));
        if (step.optimizer == ServerOptimizer.FedAvgM) {
            moved.momentum = _saturate((beta * state.momentum) / int256(ONE) + delta);
            return moved;
        }
        moved.momentum = _saturate((beta * state.momentum + (int256(ONE) - beta) * delta) / int256(ONE));
        moved.secondMoment = Math.min(_secondMoment(step, state.secondMoment, uint256(delta * delta)), MOST);
    }

    /// @notice Where an adaptive step moves the weight, times 2^16.
    function ratio(ServerStep memory step, StateCoordinate memory state) internal pure returns (int256) {
        // SAFETY: the root of 64 bits and a tau of 32, above zero (C-61).
        int256 over = int256(Math.sqrt(state.secondMoment) + step.adaptivity);
        int256 whole = (state.momentum * int256(ONE)) / over;
        if (whole > type(int32).max) return type(int32).max;
        return whole < -type(int32).max ? -type(int32).max : whole;
    }

    function _secondMoment(ServerStep memory step, uint256 v, uint256 square) private pure returns (uint256) {
        uint256 beta = step.secondMomentQ16;
        if (step.optimizer == ServerOptimizer.FedAdagrad) return v + square;
        if (step.optimizer == ServerOptimizer.FedAdam) return (beta * v + (ONE - beta) * square) / ONE;
        if (v < square) return v + ((ONE - beta) * (square - v)) / ONE;
        return v - ((ONE - beta) * (v - square)) / ONE;
    }

    function _saturate(int256 value) private pure returns (int256) {
        if (value > type(int32).max) return type(int32).max;
        return value < type(int32).min ? int256(type(int32).min) : value;
    }
}
