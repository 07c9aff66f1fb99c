// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Federation} from "../Federation.sol";
import {Modules} from "../federation/Modules.sol";
import {Voiding} from "../federation/Voiding.sol";

/// @notice For tests only: a federation whose dispute hooks anybody may call.
contract FederationHarness is Federation, Voiding {
    constructor(Modules memory modules) Federation(modules) {}

    function voidSubmission(uint64 number, uint16 index) external {
        _voidSubmission(number, index);
    }

    function voidPublication(uint64 number) external {
        _voidPublication(number);
    }
}
