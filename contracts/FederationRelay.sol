// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Penalties} from "./federation/Penalties.sol";

/// @title Signed messages, in batches
/// @notice A module of Federation (federation/Modules.sol).
contract FederationRelay is Penalties {}
