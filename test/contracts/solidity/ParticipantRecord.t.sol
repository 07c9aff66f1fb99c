// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {FederationStorage, ParticipantRecord} from "../../../contracts/federation/FederationStorage.sol";

/// @notice A participant's record is written by hand as one word and read field by field by the compiler: both must mean
///         the same.
contract ParticipantRecordTest is FederationStorage {
    function testFuzz_aRecordComesBackAsItWasStored(uint256 random, address account) public {
        ParticipantRecord memory record;
        record.stake = uint96(random);
        record.committedRound = uint32(random >> 96);
        record.committedOpening = uint32(random >> 128);
        record.joinedRoster = uint32(random >> 160);
        record.lastRoster = uint32(random >> 192);
        record.index = uint8(random >> 224);
        record.revealed = (random >> 232) & 1 == 1;
        record.registered = (random >> 240) & 1 == 1;
        record.funded = (random >> 248) & 1 == 1;
        _participants[account].record = record;
        bytes32 stored = keccak256(abi.encode(_participants[account].record));
        delete _participants[account];
        _storeRecord(_participants[account], record);
        require(keccak256(abi.encode(_participants[account].record)) == stored, "record");
        require(stored == keccak256(abi.encode(record)), "as it was");
        require(_participants[account].commitHash == bytes32(0), "neighbour");
    }
}
