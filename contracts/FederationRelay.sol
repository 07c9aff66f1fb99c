// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {RevealsUnderWay, Submissions} from "./federation/Submissions.sol";
import {RoundHead} from "./federation/FederationStorage.sol";
import {IFederationRelay} from "./interfaces/IFederationRelay.sol";
import {TypedData} from "./libraries/TypedData.sol";
import {SignedCommit, SignedReveal} from "./types/Disputes.sol";
import {RoundPhase} from "./types/Round.sol";

/// @title Signed messages, in batches
/// @notice A module of Federation (federation/Modules.sol).
contract FederationRelay is Submissions, IFederationRelay {
    /// @inheritdoc IFederationRelay
    function commitUpdates(uint64 round, SignedCommit[] calldata commits) external {
        (uint256 number, RoundHead memory head) = _advanceFrom(round);
        // Said here, or every signature would look wrong: it names an opening that is another round's.
        if (round != number) _raise(_wrongPhase(round, number, head, RoundPhase.Commit));
        bytes32 domain = TypedData.domainSeparator();
        bytes memory firstProblem;
        uint256 taken;
        for (uint256 i = 0; i < commits.length; ++i) {
            SignedCommit calldata message = commits[i];
            bytes32 digest = TypedData.commitUpdate(domain, round, head.opening, message.commitHash);
            // INVARIANT (C-140): nobody commits or reveals for somebody who has not signed for this very opening.
            bytes memory problem = TypedData.isSignedBy(message.participant, digest, message.signature)
                ? _tryCommit(round, number, head, message.participant, message.commitHash)
                : abi.encodeWithSelector(BadSignature.selector, message.participant);
            if (problem.length == 0) ++taken;
            else firstProblem = _skip(round, message.participant, problem, firstProblem);
        }
        if (taken == 0) _raiseFirst(firstProblem);
        _storeCommits(number, head);
    }

    /// @inheritdoc IFederationRelay
    function revealUpdates(uint64 round, SignedReveal[] calldata reveals) external {
        RevealsUnderWay memory underWay = _revealsUnderWay(round);
        if (round != underWay.number) _raise(_wrongPhase(round, underWay.number, underWay.head, RoundPhase.Reveal));
        bytes32 domain = TypedData.domainSeparator();
        bytes memory firstProblem;
        uint256 taken;
        for (uint256 i = 0; i < reveals.length; ++i) {
            SignedReveal calldata message = reveals[i];
            bytes memory problem = _tryReveal(round, underWay, domain, message);
            if (problem.length == 0) ++taken;
            else firstProblem = _skip(round, message.participant, problem, firstProblem);
        }
        if (taken == 0) _raiseFirst(firstProblem);
        _storeReveals(underWay);
    }

    function _tryReveal(
        uint64 round,
        RevealsUnderWay memory underWay,
        bytes32 domain,
        SignedReveal calldata message
    ) private returns (bytes memory) {
        bytes32 cidHash = keccak256(message.cid);
        bytes32 digest = TypedData.revealUpdate(
            domain,
            round,
            underWay.head.opening,
            message.root,
            message.normSq,
            cidHash,
            message.salt
        );
        if (!TypedData.isSignedBy(message.participant, digest, message.signature)) {
            return abi.encodeWithSelector(BadSignature.selector, message.participant);
        }
        return
            _tryReveal(
                round,
                underWay,
                message.participant,
                message.root,
                message.normSq,
                message.cid,
                cidHash,
                message.salt
            );
    }

    /// @dev INVARIANT (C-141): a message that cannot be taken is skipped: nobody can sink a batch.
    function _skip(
        uint64 round,
        address participant,
        bytes memory problem,
        bytes memory firstProblem
    ) private returns (bytes memory) {
        emit RelayRefused(round, participant, bytes4(problem));
        return firstProblem.length == 0 ? problem : firstProblem;
    }

    function _raiseFirst(bytes memory firstProblem) private pure {
        // INVARIANT (C-142): a batch that does nothing does not succeed.
        if (firstProblem.length == 0) revert NothingAccepted();
        _raise(firstProblem);
    }
}
