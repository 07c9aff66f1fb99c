// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {GramShape} from "../libraries/GramFraud.sol";
import {VectorLayout} from "../libraries/VectorLayout.sol";
import {ProofKind, RevealedUpdate} from "../types/Disputes.sol";
import {Publication, RoundPhase} from "../types/Round.sol";
import {Slashing} from "./Slashing.sol";

/// @dev What the modules of fraud proofs share: which rows a publication was computed from, and the verdict.
abstract contract Accusations is Slashing {
    /// @dev The contract can judge what the federation's rule makes of the updates.
    function _checkEnforced() internal view {
        // INVARIANT (C-150): where the contract does not know the rule, it convicts nobody by it.
        if (!_parameters.enforced) revert NotEnforced();
    }

    /// @dev The reveal at `position` of the round's list, of a submission that counts in a round that is not final.
    function _submission(
        uint64 round,
        RevealedUpdate[] calldata reveals,
        uint256 position
    ) internal returns (RevealedUpdate calldata revealed) {
        (uint256 current, ) = _advance();
        RoundPhase phase = round > current ? RoundPhase.None : _rounds[round].head.phase;
        // INVARIANT (C-94): there are reveals, and the round can still change.
        if (phase < RoundPhase.Reveal || phase > RoundPhase.Challenge) {
            revert WrongPhase(round, phase, RoundPhase.Reveal);
        }
        _checkReveals(round, reveals);
        if (position >= reveals.length) revert ProofDoesNotOpen("reveals");
        revealed = reveals[position];
        // INVARIANT (C-95): nobody is accused of what does not count any more.
        if ((_rounds[round].voidedBitmap >> revealed.index) & 1 != 0) {
            revert SubmissionAlreadyVoided(round, revealed.index);
        }
    }

    /// @dev Positions in `reveals` of the valid updates, by participant index: the rows of the update matrix. The
    ///      voided ones are those at publication: nothing is voided under a publication that stands (C-37).
    function _validRows(uint64 round, RevealedUpdate[] calldata reveals) internal view returns (uint256[] memory rows) {
        _checkReveals(round, reveals);
        uint256 voided = _rounds[round].voidedBitmap;
        uint256 present;
        uint256[] memory positionOf = new uint256[](256);
        for (uint256 i = 0; i < reveals.length; ++i) {
            // Indices are below 100 and differ: the contract itself put them into the accumulator.
            uint256 index = reveals[i].index;
            if ((voided >> index) & 1 != 0) continue;
            present |= uint256(1) << index;
            positionOf[index] = i;
        }
        rows = new uint256[](reveals.length);
        uint256 n;
        for (uint256 index = 0; present >> index != 0; ++index) {
            if ((present >> index) & 1 != 0) rows[n++] = positionOf[index];
        }
        // SAFETY: n <= reveals.length: only shortens.
        assembly ("memory-safe") {
            mstore(rows, n)
        }
    }

    /// @dev What a proof about the Gram tree is held against.
    function _gramShape(Publication calldata publication, uint256 n) internal view returns (GramShape memory) {
        // INVARIANT (C-93): the zero root opens to nothing; the rule has no Gram matrix.
        if (publication.gramRoot == bytes32(0)) revert ProofDoesNotOpen("gramRoot");
        return
            GramShape({
                gramRoot: publication.gramRoot,
                n: n,
                chunkSize: _parameters.chunkSize,
                chunks: VectorLayout.chunkCount(_parameters.dimension, _parameters.chunkSize)
            });
    }

    /// @dev The proof opened: the publisher of `round` is convicted and the bond returns, or the bond is the publisher's.
    function _judgePublisher(uint64 round, ProofKind proof, bool guilty) internal {
        if (!guilty) return _rejectAccusation(round, _rounds[round].aggregator, proof);
        _credit(msg.sender, _parameters.proofBond);
        _convictAggregator(round, proof, msg.sender);
    }
}
