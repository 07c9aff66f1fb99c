// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {IFederationEvents} from "../interfaces/IFederationEvents.sol";
import {Challenge} from "../types/Disputes.sol";
import {FederationParameters} from "../types/FederationParameters.sol";
import {RoundPhase} from "../types/Round.sol";

/// @dev One slot, read by every call.
struct FederationState {
    uint32 currentRound;
    uint32 lastFinalRound;
    /// Openings so far; a round that is opened again gets a new number.
    uint32 openings;
    /// Lists of expected participants closed so far: one at each round's first commit, one at each extension.
    uint32 rosters;
    /// Participants expected in a list that closes now.
    uint8 activeParticipants;
    /// Participant indices ever given.
    uint8 participantSlots;
}

/// @dev One slot (248 bits; counts of participants are at most 100), the hot part of a round. In a phase from Open to
///      Aggregate the round is the current one, so that commits and reveals need not read which round that is.
struct RoundHead {
    RoundPhase phase;
    uint32 opening;
    /// Commit, Reveal: the deadline. Aggregate: when turns begin to count; it may lie ahead. Challenge, Final: when it
    /// was published.
    uint40 clock;
    /// Participants in the list that may commit; set by the first commit.
    uint8 expected;
    uint8 committed;
    uint8 revealed;
    uint8 voided;
    /// Participants that committed but are not active any more (the owner removed them meanwhile).
    uint8 departed;
    /// Block whose hash becomes the seed; 0 before commits are closed.
    uint40 seedBlock;
    bool seedFixed;
    /// Aggregate: the turn at `clock`. Challenge, Final: the turn in which it was published.
    uint32 turnBase;
    /// Missed turns since `clock` that were named, and charged unless everybody has paid.
    uint8 turnsCharged;
    /// Number of the list of expected participants; set by the first commit.
    uint32 roster;
    /// Missed turns of this phase that were charged before `clock`.
    uint8 turnsChargedBefore;
}

/// @dev `accumulator` and `seed` are EMPTY until there is one: whoever opens the round pays for the slots, not the
///      first to reveal.
struct RoundRecord {
    RoundHead head;
    bytes32 accumulator;
    bytes32 seed;
    bytes32 modelRoot;
    bytes32 publicationHash;
    address aggregator;
    /// Final: what `distributeRewards` has to distribute.
    uint96 reward;
    uint256 voidedBitmap;
    RoundDisputes disputes;
}

/// @dev One slot, written by disputes only.
struct RoundDisputes {
    /// Open challenges about this opening's updates.
    uint16 openUpdates;
    /// Open challenges about the present publication.
    uint16 openPublication;
    /// Not final before this moment.
    uint40 holdUntil;
    /// One more than the last turn that a challenge has extended.
    uint32 extendedTurn;
    /// Abandoned: the last round before it that was published; 0 for none.
    uint32 publishedBefore;
}

/// @dev One slot. A participant's commit is bound to its round's opening: when the round has another opening now, the
///      commit is void. So voiding any number of rounds costs the same, and nobody has to be visited.
struct ParticipantRecord {
    uint96 stake;
    uint32 committedRound;
    uint32 committedOpening;
    /// Lists closed when it joined: it is on lists with a greater number ...
    uint32 joinedRoster;
    /// ... up to this one.
    uint32 lastRoster;
    /// At most 100.
    uint8 index;
    bool revealed;
    bool registered;
    /// stake >= participantStake
    bool funded;
}

struct ParticipantAccount {
    ParticipantRecord record;
    /// EMPTY until the first commit: whoever registers pays for the slot, so that all rounds cost the same.
    bytes32 commitHash;
    uint40 exitRequestedAt;
}

/// @dev One slot: a place in the rotation.
struct AggregatorEntry {
    address account;
    uint32 activeFromRound;
    uint32 activeUntilRound;
}

struct AggregatorAccount {
    uint96 stake;
    uint40 exitRequestedAt;
    uint32 lastPublishedRound;
    /// Place in the rotation's list.
    uint8 position;
    bool registered;
}

/// @dev State, and what every concern reads of it.
abstract contract FederationStorage is IFederationEvents, Initializable, Ownable2Step {
    uint32 internal constant NO_END = type(uint32).max;
    bytes32 internal constant EMPTY = bytes32(uint256(1));
    address internal constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;

    FederationState internal _state;
    FederationParameters internal _parameters;
    mapping(uint256 number => RoundRecord) internal _rounds;
    mapping(address account => ParticipantAccount) internal _participants;
    mapping(uint256 index => address) internal _participantAt;
    uint8[] internal _freeIndices;
    AggregatorEntry[] internal _rotation;
    mapping(address account => AggregatorAccount) internal _aggregators;
    mapping(address account => bool) internal _members;
    uint256 internal _totalBurned;
    mapping(address account => uint256) internal _credits;
    uint256 internal _rewardPool;
    mapping(bytes32 id => Challenge) internal _challenges;

    /// @dev The implementation belongs to nobody and can not be initialized; clones get their owner in `initialize`.
    constructor() Ownable(BURN_ADDRESS) {
        _disableInitializers();
    }

    function _now() internal view returns (uint40) {
        // SAFETY: 2^40 seconds are 34,000 years.
        return uint40(block.timestamp);
    }

    /// @dev Writes a head in one go; the compiler would write the slot's fields one by one. The order is that of
    ///      RoundHead.
    function _storeHead(uint256 number, RoundHead memory head) internal {
        uint256 word = uint256(head.phase);
        word |= uint256(head.opening) << 8;
        word |= uint256(head.clock) << 40;
        word |= uint256(head.expected) << 80;
        word |= uint256(head.committed) << 88;
        word |= uint256(head.revealed) << 96;
        word |= uint256(head.voided) << 104;
        word |= uint256(head.departed) << 112;
        word |= uint256(head.seedBlock) << 120;
        word |= (head.seedFixed ? uint256(1) : 0) << 160;
        word |= uint256(head.turnBase) << 168;
        word |= uint256(head.turnsCharged) << 200;
        word |= uint256(head.roster) << 208;
        word |= uint256(head.turnsChargedBefore) << 240;
        RoundHead storage stored = _rounds[number].head;
        // SAFETY: the head is one slot, the first of its record; a test compares every field after a round trip.
        assembly ("memory-safe") {
            sstore(stored.slot, word)
        }
    }

    /// @dev The same for a participant's record; the order is that of ParticipantRecord.
    function _storeRecord(ParticipantAccount storage account, ParticipantRecord memory record) internal {
        uint256 word = uint256(record.stake);
        word |= uint256(record.committedRound) << 96;
        word |= uint256(record.committedOpening) << 128;
        word |= uint256(record.joinedRoster) << 160;
        word |= uint256(record.lastRoster) << 192;
        word |= uint256(record.index) << 224;
        word |= (record.revealed ? uint256(1) : 0) << 232;
        word |= (record.registered ? uint256(1) : 0) << 240;
        word |= (record.funded ? uint256(1) : 0) << 248;
        // SAFETY: the record is one slot, the first of its account; a test compares every field after a round trip.
        assembly ("memory-safe") {
            sstore(account.slot, word)
        }
    }

    /// @dev Root of the model that a round starts from. Round 0's model is the genesis model.
    function _baseModelRoot(uint256 number) internal view returns (bytes32) {
        return _rounds[number - 1].modelRoot;
    }

    /// @dev The accumulator as the specification has it: zero before the first reveal.
    function _accumulator(uint256 number) internal view returns (bytes32) {
        bytes32 stored = _rounds[number].accumulator;
        return stored == EMPTY ? bytes32(0) : stored;
    }

    function _isActive(ParticipantAccount storage account) internal view returns (bool) {
        ParticipantRecord storage record = account.record;
        return record.registered && record.lastRoster == NO_END && record.funded;
    }

    function _onRoster(ParticipantRecord memory record, uint256 roster) internal pure returns (bool) {
        return record.joinedRoster < roster && roster <= record.lastRoster;
    }
}
