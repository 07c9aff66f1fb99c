// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Membership} from "./federation/Membership.sol";

/// @title Who takes part, and their stakes
/// @notice A module of Federation (federation/Modules.sol).
contract FederationMembership is Membership {}
