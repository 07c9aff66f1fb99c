// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {RoundPhase} from "../types/Round.sol";
import {AggregatorAccount, AggregatorEntry, RoundHead} from "./FederationStorage.sol";
import {Money} from "./Money.sol";

/// @dev Whose turn it is. Turn t of a round belongs to active[(round - 1 + t) % count]; `active` are the entries whose
///      interval of rounds contains the round, in order of registration. An interval never changes for a round that has
///      a commit, so joining and leaving cannot move a turn that others count on; but when everybody who stood in it has
///      missed a turn, or is gone, whoever stands ready for a later round leads this one, too.
abstract contract Rotation is Money {
    uint16 internal constant MAX_AGGREGATORS = 32;
    /// @dev `turnsChargedBefore` of a round in which nobody pays any more.
    uint8 private constant MAX_CHARGED = 32;

    function _activeAggregators(uint256 number) internal view returns (address[] memory active) {
        uint256 length = _rotation.length;
        active = new address[](length);
        uint256 count;
        for (uint256 i = 0; i < length; ++i) {
            AggregatorEntry memory entry = _rotation[i];
            if (entry.activeFromRound <= number && number <= entry.activeUntilRound) active[count++] = entry.account;
        }
        // SAFETY: shortens an array in memory; count <= length.
        assembly ("memory-safe") {
            mstore(active, count)
        }
    }

    function _leaderOf(address[] memory active, uint256 number, uint256 turn) internal pure returns (address) {
        return active.length == 0 ? address(0) : active[(number - 1 + turn) % active.length];
    }

    /// @dev The turn as of now of a round in Aggregate. While the clock lies ahead (a challenge has extended the turn) it
    ///      is the turn that the clock begins with.
    function _turn(RoundHead memory head) internal view returns (uint32) {
        if (_now() < head.clock) return head.turnBase;
        // SAFETY: a turn lasts a second or more and time has 40 bits, but 2^32 turns are 136 years.
        return head.turnBase + uint32((_now() - head.clock) / _parameters.aggregateWindowSeconds);
    }

    /// @dev Names who missed the turns that ended without a publication, each aggregator at most once since `clock`, and
    ///      charges each at most once per opening of the phase: an idle night costs one penalty each, and the loop is
    ///      bounded by MAX_AGGREGATORS.
    function _chargeMissedTurns(uint256 number, RoundHead memory head) internal returns (bool changed) {
        uint256 missed = _turn(head) - head.turnBase;
        if (missed <= head.turnsCharged) return false;
        address[] memory active = _activeAggregators(number);
        if (missed > active.length) missed = active.length;
        if (missed <= head.turnsCharged) return false;
        uint256 burned;
        for (uint256 i = head.turnsCharged; i < missed; ++i) {
            uint32 turn = head.turnBase + uint32(i);
            address account = _leaderOf(active, number, turn);
            // INVARIANT (C-43): nobody pays twice for one round's silence, however often a challenge extends a turn.
            if (head.turnsChargedBefore + i < active.length) burned += _chargeTurn(number, turn, account);
            else emit TurnMissed(uint64(number), turn, account, 0);
        }
        head.turnsCharged = uint8(missed);
        _burn(burned);
        if (missed == active.length && _callReserves(number)) {
            // The clock is not ahead: a turn was missed since.
            head.turnBase = _turn(head);
            head.clock = _now();
            head.turnsCharged = 0;
            head.turnsChargedBefore = MAX_CHARGED;
            _announceTurns(number, head);
        }
        return true;
    }

    /// @dev Nobody is left to lead the round: whoever joined for a later one stands in this one's rotation. A federation
    ///      whose aggregators are all dead or expelled goes on as soon as one other is there.
    function _callReserves(uint256 number) internal returns (bool called) {
        // INVARIANT (C-44): a round that nobody leads is open to whoever is ready to.
        uint256 length = _rotation.length;
        for (uint256 i = 0; i < length; ++i) {
            AggregatorEntry storage entry = _rotation[i];
            if (entry.activeFromRound <= number || entry.activeUntilRound < entry.activeFromRound) continue;
            // SAFETY: rounds have 32 bits.
            entry.activeFromRound = uint32(number);
            called = true;
        }
    }

    /// @dev Takes the penalty for a turn that produced nothing out of the stake; the caller burns it.
    function _chargeTurn(uint256 number, uint32 turn, address account) internal returns (uint96 charged) {
        AggregatorAccount storage aggregatorAccount = _aggregators[account];
        uint96 penalty = _parameters.missedTurnPenalty;
        uint96 stake = aggregatorAccount.stake;
        charged = stake < penalty ? stake : penalty;
        if (charged != 0) aggregatorAccount.stake = stake - charged;
        emit TurnMissed(uint64(number), turn, account, charged);
        // A turn is for who can pay for missing it: the others rest from the next round on.
        if (stake - charged < penalty && aggregatorAccount.registered) {
            AggregatorEntry storage entry = _rotation[aggregatorAccount.position];
            if (entry.activeUntilRound > number) entry.activeUntilRound = uint32(number);
        }
    }

    /// @dev A round in Aggregate that nobody led has somebody now: turns count from here, so that nobody pays for those
    ///      that passed before it was there.
    function _restartTurns(uint256 number, RoundHead memory head) internal {
        // Who was there has paid already; who joins them has not, and does not.
        if (head.turnsCharged != 0) head.turnsChargedBefore = MAX_CHARGED;
        _countTurnsFrom(number, head, _now() < head.clock ? head.clock : _now());
    }

    /// @dev The present turn begins (again) at `clock`, so that it ends a whole window after that.
    function _countTurnsFrom(uint256 number, RoundHead memory head, uint40 clock) internal {
        head.turnBase = _turn(head);
        // Once everybody has paid it does not matter how often; there are at most MAX_AGGREGATORS.
        uint256 charged = uint256(head.turnsChargedBefore) + head.turnsCharged;
        head.turnsChargedBefore = charged < MAX_CHARGED ? uint8(charged) : MAX_CHARGED;
        head.turnsCharged = 0;
        head.clock = clock;
        _storeHead(number, head);
        _announceTurns(number, head);
    }

    function _announceTurns(uint256 number, RoundHead memory head) internal {
        address first = _leaderOf(_activeAggregators(number), number, head.turnBase);
        emit AggregatePhaseOpened(
            uint64(number),
            head.turnBase,
            first,
            head.clock + _parameters.aggregateWindowSeconds
        );
    }

    /// @dev First round of an aggregator that joins now: the current one while nobody has committed to it, or when
    ///      nobody else leads it: nobody is there, or everybody who is has missed a turn. Else the next.
    function _joiningRound(uint256 number, RoundHead memory head) internal view returns (uint32) {
        if (number == 0) return 1;
        uint256 active = _activeAggregators(number).length;
        bool atOnce = head.phase == RoundPhase.Open ||
            active == 0 ||
            (head.phase == RoundPhase.Aggregate && head.turnsCharged >= active);
        return uint32(atOnce ? number : number + 1);
    }

    /// @dev Takes an aggregator out of the rotation: from this round on if nobody has committed to it, else from the
    ///      next.
    function _leaveRotation(address account, uint256 number, RoundPhase phase) internal {
        AggregatorEntry storage entry = _rotation[_aggregators[account].position];
        uint256 last = phase == RoundPhase.Open ? number - 1 : number;
        if (entry.activeUntilRound > last) entry.activeUntilRound = uint32(last);
    }

    /// @dev Takes an aggregator out of every round that is not final: of those that are open again, too. The others keep
    ///      their order; a round's turns are counted among who is left.
    function _expelFromRotation(address account) internal {
        uint32 last = _state.lastFinalRound;
        uint256 length = _rotation.length;
        for (uint256 i = 0; i < length; ++i) {
            AggregatorEntry storage entry = _rotation[i];
            if (entry.account == account && entry.activeUntilRound > last) entry.activeUntilRound = last;
        }
    }

    /// @dev Drops the entries of aggregators that have withdrawn and whose last round is final; keeps the others'
    ///      order.
    function _pruneRotation(uint256 lastFinalRound) internal {
        uint256 kept;
        uint256 length = _rotation.length;
        for (uint256 i = 0; i < length; ++i) {
            AggregatorEntry memory entry = _rotation[i];
            AggregatorAccount storage account = _aggregators[entry.account];
            bool held = account.registered && account.position == i;
            if (!held && entry.activeUntilRound <= lastFinalRound) continue;
            if (kept != i) {
                _rotation[kept] = entry;
                if (held) account.position = uint8(kept);
            }
            ++kept;
        }
        while (_rotation.length > kept) _rotation.pop();
    }
}
