// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {RoundPhase} from "../types/Round.sol";
import {FederationState, RoundHead, RoundRecord} from "./FederationStorage.sol";
import {Rotation} from "./Rotation.sol";

/// @dev Time, and what it does to a round. `_elapse` is the pure rule, shared by views (which show transitions as done)
///      and by `_advance` (which does them, with their events).
abstract contract RoundClock is Rotation {
    /// @dev What the passing of time did to a round.
    struct Elapsed {
        bool commitWindowExtended;
        bool commitsClosed;
        bool revealsClosed;
    }

    /// @dev Applies to `head`, in memory, every transition whose deadline has passed. The deadline is the first second
    ///      too late.
    function _elapse(RoundHead memory head) internal view returns (Elapsed memory elapsed) {
        if (head.phase == RoundPhase.Commit && block.timestamp >= head.clock) {
            if (head.committed >= _parameters.minUpdates) {
                head.phase = RoundPhase.Reveal;
                head.clock += _parameters.revealWindowSeconds;
                elapsed.commitsClosed = true;
            } else {
                // Never a dead round: whole windows are added until the deadline lies ahead, for everybody who is
                // active now.
                uint40 window = _parameters.commitWindowSeconds;
                head.clock += window * ((_now() - head.clock) / window + 1);
                head.expected = _state.activeParticipants + head.departed;
                elapsed.commitWindowExtended = true;
            }
        }
        if (head.phase == RoundPhase.Reveal && block.timestamp >= head.clock) {
            _endReveals(head);
            elapsed.revealsClosed = true;
        }
    }

    /// @dev Reveal -> Aggregate (turns count from `head.clock`), or Abandoned with too few valid updates.
    function _endReveals(RoundHead memory head) internal view {
        bool enough = head.revealed - head.voided >= _parameters.minUpdates;
        head.phase = enough ? RoundPhase.Aggregate : RoundPhase.Abandoned;
    }

    /// @dev Does the transitions that are due for the current round and returns it as it stands now.
    function _advance() internal returns (uint256 number, RoundHead memory head) {
        number = _state.currentRound;
        if (number != 0) (number, head) = _advance(number, _rounds[number].head);
    }

    /// @dev The same for a caller that names a round: if that one is under way it is the current round, and a slot is
    ///      not read.
    function _advanceFrom(uint256 named) internal returns (uint256, RoundHead memory) {
        RoundHead memory head = _rounds[named].head;
        if (head.phase < RoundPhase.Open || head.phase > RoundPhase.Aggregate) return _advance();
        return _advance(named, head);
    }

    function _advance(uint256 number, RoundHead memory head) private returns (uint256, RoundHead memory) {
        Elapsed memory elapsed = _elapse(head);
        bool changed;
        if (elapsed.commitWindowExtended) {
            head.roster = ++_state.rosters;
            emit CommitWindowExtended(uint64(number), head.expected, head.clock);
            changed = true;
        }
        if (elapsed.commitsClosed) {
            _announceReveals(number, head);
            changed = true;
        }
        if (elapsed.revealsClosed) return _afterReveals(number, head);
        if ((head.phase == RoundPhase.Reveal || head.phase == RoundPhase.Aggregate) && _fixSeed(number, head)) {
            changed = true;
        }
        if (head.phase == RoundPhase.Aggregate && _chargeMissedTurns(number, head)) changed = true;
        if (changed) _storeHead(number, head);
        return (number, head);
    }

    /// @dev Commit -> Reveal now, because everybody expected has committed.
    function _closeCommits(uint256 number, RoundHead memory head) internal {
        head.phase = RoundPhase.Reveal;
        head.clock = _now() + _parameters.revealWindowSeconds;
        _announceReveals(number, head);
    }

    function _announceReveals(uint256 number, RoundHead memory head) private {
        // The seed will be the hash of this block, which nobody knows yet: whoever closes the commits cannot choose it.
        head.seedBlock = uint40(block.number);
        emit RevealPhaseOpened(uint64(number), head.committed, head.clock);
    }

    /// @dev Reveal -> Aggregate or Abandoned now, because every commit has been revealed.
    function _closeReveals(uint256 number, RoundHead memory head) internal {
        head.clock = _now();
        _endReveals(head);
        _afterReveals(number, head);
    }

    /// @dev Announces and stores what followed Reveal. After an abandoned round the next one is the current round.
    function _afterReveals(
        uint256 number,
        RoundHead memory head
    ) private returns (uint256 currentNumber, RoundHead memory currentHead) {
        if (head.phase == RoundPhase.Abandoned) return _abandon(number, head);
        _announceTurns(number, head);
        _fixSeed(number, head);
        _chargeMissedTurns(number, head);
        _storeHead(number, head);
        return (number, head);
    }

    /// @dev Ends a round without a model: its model is the one it started from, and the next round opens.
    function _abandon(
        uint256 number,
        RoundHead memory head
    ) internal returns (uint256 currentNumber, RoundHead memory currentHead) {
        head.phase = RoundPhase.Abandoned;
        RoundRecord storage record = _rounds[number];
        _storeHead(number, head);
        record.modelRoot = _baseModelRoot(number);
        record.disputes.publishedBefore = uint32(_publishedBefore(number));
        emit RoundAbandoned(uint64(number), head.revealed - head.voided, _parameters.minUpdates);
        _openRoundAfter(number);
        _passAbandoned();
        currentNumber = _state.currentRound;
        currentHead = _rounds[currentNumber].head;
    }

    /// @dev The last round before `number` whose publication stands; 0 when there is none.
    function _publishedBefore(uint256 number) internal view returns (uint256) {
        RoundRecord storage before = _rounds[number - 1];
        return before.head.phase == RoundPhase.Abandoned ? before.disputes.publishedBefore : number - 1;
    }

    /// @dev Moves the pointer of finality over abandoned rounds that directly follow it. Bounded; `finalizeRound` goes
    ///      on.
    function _passAbandoned() internal {
        FederationState memory state = _state;
        uint256 number = state.lastFinalRound;
        for (uint256 i = 0; i < 16 && number < state.currentRound; ++i) {
            RoundRecord storage record = _rounds[number + 1];
            if (record.head.phase != RoundPhase.Abandoned) break;
            ++number;
            emit RoundFinalized(uint64(number), record.modelRoot);
        }
        if (number != state.lastFinalRound) _state.lastFinalRound = uint32(number);
    }

    /// @dev Opens round 1 as soon as there are enough participants and an aggregator.
    function _openFirstRound() internal {
        FederationState memory state = _state;
        if (state.currentRound != 0 || state.activeParticipants < _parameters.minParticipants) return;
        if (_activeAggregators(1).length != 0) _openRoundAfter(0);
    }

    /// @dev Opens the round after `number`, unless that was the last one. A round that was open before (its parent was
    ///      voided) starts from nothing under a new opening number, which voids every commit made in the old one.
    function _openRoundAfter(uint256 number) internal {
        uint256 totalRounds = _parameters.totalRounds;
        if (totalRounds != 0 && number >= totalRounds) return;
        FederationState memory state = _state;
        ++number;
        // SAFETY: rounds and openings are counted one per transaction; 2^32 of them are out of reach.
        state.currentRound = uint32(number);
        ++state.openings;
        _state.currentRound = state.currentRound;
        _state.openings = state.openings;
        RoundRecord storage record = _rounds[number];
        if (record.head.opening != 0) delete _rounds[number];
        RoundHead memory head;
        head.phase = RoundPhase.Open;
        head.opening = state.openings;
        _storeHead(number, head);
        record.accumulator = EMPTY;
        record.seed = EMPTY;
        emit RoundOpened(uint64(number), state.openings, _baseModelRoot(number), state.activeParticipants);
    }

    /// @dev Fixes the seed at the first action in a later block; anchors it anew when the chain has forgotten the
    ///      block's hash.
    function _fixSeed(uint256 number, RoundHead memory head) private returns (bool changed) {
        // INVARIANT (C-32): no seed before commits are closed, none from a block whose hash is not known, and never a
        // second one.
        if (head.seedFixed || head.seedBlock == 0 || block.number <= head.seedBlock) return false;
        bytes32 blockHash = blockhash(head.seedBlock);
        if (blockHash == bytes32(0)) {
            head.seedBlock = uint40(block.number);
            emit SeedReanchored(uint64(number), uint64(block.number));
        } else {
            bytes32 seed = keccak256(abi.encode(blockHash, uint64(number), address(this)));
            _rounds[number].seed = seed;
            head.seedFixed = true;
            emit SeedFixed(uint64(number), seed);
        }
        return true;
    }
}
