// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {JusticeHandler} from "./JusticeHandler.sol";
import {JusticeWorld} from "./JusticeWorld.sol";
import {IFederation} from "../../../contracts/interfaces/IFederation.sol";
import {TinyTrees} from "./TinyTrees.sol";

/// @notice Whoever lies pays, and nobody else: whatever people do, in whatever order. (The words INVARIANT I-.. are in the handler,
///         where each transaction is held against them.)
abstract contract JusticeInvariants {
    JusticeHandler internal handler;
    IFederation internal federation;
    bool internal mixed;

    function _start(bool withToken, bool mixed_) internal {
        handler = new JusticeHandler(withToken, mixed_);
        federation = handler.federation();
        mixed = mixed_;
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev All in one: each invariant of its own would be a campaign of its own.
    function invariant_whoeverLiesPaysAndNobodyElse() public {
        require(handler.held(address(federation)) == handler.owed(), "the contract does not hold what it owes");
        require(federation.activeParticipantCount() == handler.activeByHand(), "participants miscounted");
        handler.checkPhases();
        string memory violation = handler.violation();
        require(bytes(violation).length == 0, violation);
    }

    /// @dev A handler that never gets anything done proves nothing: whatever happened before, people of good will finish rounds,
    ///      every kind of lie is convicted, every question is answered or settled, and everybody gets out what is theirs.
    function afterInvariant() public {
        _everyLieIsConvicted();
        invariant_whoeverLiesPaysAndNobodyElse();
        _everyQuestionIsAnsweredOrSettled();
        invariant_whoeverLiesPaysAndNobodyElse();
        _everybodyMayBeRelayed();
        _rewardsArePaid();
        handler.everybodyLeaves();
        invariant_whoeverLiesPaysAndNobodyElse();
    }

    function _everyLieIsConvicted() private {
        for (uint8 lie = 1; lie <= 3; ++lie) {
            uint256 before = handler.succeeded("badSum");
            handler.wholeRound(TinyTrees.Lie(lie), JusticeWorld.Lying.Nothing);
            handler.watch(6);
            _moreThan(before, "badSum", "a lie about a sum was not convicted");
        }
        _convicts(JusticeWorld.Lying.Coordinate, "badCoordinate");
        if (!mixed) return;
        _convicts(JusticeWorld.Lying.State, "badCoordinate");
        _convicts(JusticeWorld.Lying.Gram, "badGramLeaf");
        _convicts(JusticeWorld.Lying.Mixing, "badMixing");
    }

    function _moreThan(uint256 before, bytes32 action, string memory otherwise) private view {
        if (handler.succeeded(action) > before) return;
        string memory reasons = string.concat(handler.explain("commit"), handler.explain("reveal"));
        reasons = string.concat(reasons, handler.explain("publish"), handler.explain(action));
        revert(string.concat(otherwise, reasons));
    }

    function _convicts(JusticeWorld.Lying lying, bytes32 action) private {
        uint256 before = handler.succeeded(action);
        handler.wholeRound(TinyTrees.Lie.None, lying);
        handler.watch(6);
        _moreThan(before, action, "a lie in a publication was not convicted");
    }

    function _everyQuestionIsAnsweredOrSettled() private {
        uint256 answered = handler.succeeded("answered");
        uint256 unavailable = handler.succeeded("unavailable");
        handler.wholeRound(TinyTrees.Lie.None, JusticeWorld.Lying.Nothing);
        uint256 asked = handler.askEverything(5);
        require(asked == (mixed ? 4 : 2), string.concat("a question was refused", handler.explain("asked")));
        handler.everybodyAnswers();
        require(
            handler.succeeded("answered") == answered + asked,
            string.concat("an answer was refused", handler.explain("answered"))
        );
        handler.wholeRound(TinyTrees.Lie.None, JusticeWorld.Lying.Nothing);
        handler.askAndHearNothing(5);
        _moreThan(unavailable, "unavailable", "silence was not convicted");
    }

    function _everybodyMayBeRelayed() private {
        uint256 commits = handler.succeeded("relayedCommits");
        uint256 reveals = handler.succeeded("relayedReveals");
        handler.relayedRound();
        _moreThan(commits, "relayedCommits", "no commit was relayed");
        _moreThan(reveals, "relayedReveals", "no reveal was relayed");
    }

    function _rewardsArePaid() private {
        uint256 before = handler.succeeded("distributed");
        handler.fund(6, type(uint96).max);
        handler.wholeRound(TinyTrees.Lie.None, JusticeWorld.Lying.Nothing);
        handler.goodWill();
        handler.distributeAll(3);
        _moreThan(before, "distributed", "no reward was paid");
    }
}

contract JusticeInCoinTest is JusticeInvariants {
    function setUp() public {
        _start(false, false);
    }

    /// @dev The story that random runs may miss, told once.
    function test_coin_everybodyGetsWhatIsTheirs() public {
        afterInvariant();
    }
}

contract JusticeInTokensTest is JusticeInvariants {
    function setUp() public {
        _start(true, true);
    }

    function test_tokens_everybodyGetsWhatIsTheirs() public {
        afterInvariant();
    }
}
