// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Money} from "./federation/Money.sol";

/// @title Rewards and credits
/// @notice A module of Federation (federation/Modules.sol).
contract FederationRewards is Money {}
