// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {FederationHandler} from "./FederationHandler.sol";
import {IFederation} from "../../../contracts/interfaces/IFederation.sol";

/// @notice Whatever people do, in whatever order.
contract FederationInvariantsTest {
    FederationHandler private handler;
    IFederation private federation;

    function setUp() public {
        handler = new FederationHandler();
        federation = handler.federation();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_noCoinIsLostOrMade() public view {
        require(address(federation).balance == handler.stakes(), "balance != stakes");
        uint256 accounted = address(federation).balance + handler.paidOut() + federation.totalBurned();
        require(handler.paidIn() == accounted, "paid in != held + paid out + burned");
    }

    function invariant_phasesMoveForwardAndFinalIsFinal() public {
        handler.checkPhases();
        require(handler.violations() == 0, "a phase went back, a final round changed, or a stake at risk left");
    }

    function invariant_theContractCountsItsPeople() public view {
        require(federation.activeParticipantCount() == handler.activeByHand(), "active participants");
    }

    /// @dev A handler that never gets anything done proves nothing; and whatever happened, people of good will get on: the
    ///      federation is never dead.
    function afterInvariant() public {
        require(handler.succeeded("commit") > 0, "nobody committed");
        uint256 published = handler.succeeded("publish");
        for (uint256 i = 0; i < 6; ++i) handler.wholeRound();
        require(handler.succeeded("publish") > published, "the federation is dead");
        invariant_noCoinIsLostOrMade();
        invariant_phasesMoveForwardAndFinalIsFinal();
        invariant_theContractCountsItsPeople();
    }

    /// @dev The story that random runs may miss, told once: rounds do get finished by these very handlers.
    function test_theHandlersGetThroughWholeRounds() public {
        for (uint256 i = 1; i <= 3; ++i) {
            handler.everybodyActs(1);
            handler.everybodyActs(1);
            handler.publish(1);
        }
        require(handler.succeeded("publish") == 3, "no round was published");
        handler.passTime(150);
        handler.finalize(0);
        require(handler.succeeded("finalize") == 1, "no round became final");
        handler.voidPublication(0);
        require(handler.succeeded("voidPublication") == 1, "no publication was voided");
        invariant_phasesMoveForwardAndFinalIsFinal();
        handler.publish(1);
        handler.everybodyActs(1);
        handler.voidSubmission(0);
        handler.requestExit(0, false);
        handler.passTime(150);
        handler.settle(1);
        handler.passTime(3);
        handler.withdraw(0, false);
        invariant_noCoinIsLostOrMade();
        invariant_phasesMoveForwardAndFinalIsFinal();
        invariant_theContractCountsItsPeople();
    }
}
