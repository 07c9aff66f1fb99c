// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Slashing} from "./federation/Slashing.sol";

/// @title Availability challenges
/// @notice A module of Federation (federation/Modules.sol).
contract FederationAvailability is Slashing {}
