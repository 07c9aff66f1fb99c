// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {FederationStorage, RoundHead} from "../../../contracts/federation/FederationStorage.sol";
import {RoundPhase} from "../../../contracts/types/Round.sol";

/// @notice A round's head is written by hand as one word and read field by field by the compiler: both must mean the same.
contract RoundHeadTest is FederationStorage {
    function _head(uint256 random) private pure returns (RoundHead memory head) {
        head.phase = RoundPhase(random % 8);
        head.opening = uint32(random >> 8);
        head.clock = uint40(random >> 40);
        head.expected = uint8(random >> 80);
        head.committed = uint8(random >> 88);
        head.revealed = uint8(random >> 96);
        head.voided = uint8(random >> 104);
        head.departed = uint8(random >> 112);
        head.seedBlock = uint40(random >> 120);
        head.seedFixed = (random >> 160) & 1 == 1;
        head.turnBase = uint32(random >> 168);
        head.turnsCharged = uint8(random >> 200);
        head.roster = uint32(random >> 208);
        head.turnsChargedBefore = uint8(random >> 240);
    }

    function testFuzz_aHeadComesBackAsItWasStored(uint256 random, uint64 number) public {
        RoundHead memory head = _head(random);
        _storeHead(number, head);
        require(keccak256(abi.encode(_rounds[number].head)) == keccak256(abi.encode(head)), "head");
        require(_rounds[number].accumulator == bytes32(0), "neighbour");
    }

    function testFuzz_aFieldWrittenAloneLeavesTheOthers(uint256 random, uint8 revealed) public {
        RoundHead memory head = _head(random);
        _storeHead(1, head);
        _rounds[1].head.revealed = revealed;
        head.revealed = revealed;
        require(keccak256(abi.encode(_rounds[1].head)) == keccak256(abi.encode(head)), "head");
    }
}
