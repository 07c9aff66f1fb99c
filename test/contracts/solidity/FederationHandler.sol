// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {FederationFactory} from "../../../contracts/FederationFactory.sol";
import {FederationAvailability} from "../../../contracts/FederationAvailability.sol";
import {FederationGramProofs} from "../../../contracts/FederationGramProofs.sol";
import {FederationMembership} from "../../../contracts/FederationMembership.sol";
import {FederationProofs} from "../../../contracts/FederationProofs.sol";
import {FederationRelay} from "../../../contracts/FederationRelay.sol";
import {FederationRewards} from "../../../contracts/FederationRewards.sol";
import {FederationViews} from "../../../contracts/FederationViews.sol";
import {Modules} from "../../../contracts/federation/Modules.sol";
import {IFederation} from "../../../contracts/interfaces/IFederation.sol";
import {FederationParameters, PreAggregation, Combine, Rule, ServerOptimizer, ServerStep} from "../../../contracts/types/FederationParameters.sol";
import {Publication, RoundPhase, RoundView} from "../../../contracts/types/Round.sol";
import {AggregatorView, ParticipantView, Role} from "../../../contracts/types/Actors.sol";
import {FederationHarness} from "../../../contracts/mocks/FederationHarness.sol";
import {vm} from "./Vm.sol";

/// @notice For tests only: random people in random order, and what must hold whatever they do. Each action is tried as it comes and
///         may be refused by the federation; `succeeded` counts those that were not.
contract FederationHandler {
    uint256 public constant ACTORS = 7;
    uint96 public constant STAKE = 1 ether;
    uint256 private constant WINDOW = 100;

    IFederation public immutable federation;
    /// Coin that went in and came out by the people's hands.
    uint256 public paidIn;
    uint256 public paidOut;
    mapping(bytes32 action => uint256) public succeeded;
    /// Set by a hook that may send a round back; the next check starts afresh.
    mapping(uint64 round => mapping(uint32 opening => RoundPhase)) public seenPhase;
    mapping(uint64 round => bytes32) public finalRoot;
    uint256 public violations;
    uint256 private _nonce;
    mapping(address => mapping(uint64 => bytes32)) private _salts;

    constructor() {
        FederationHarness implementation = new FederationHarness(
            Modules({
                membership: address(new FederationMembership()),
                relay: address(new FederationRelay()),
                proofs: address(new FederationProofs()),
                gramProofs: address(new FederationGramProofs()),
                availability: address(new FederationAvailability()),
                rewards: address(new FederationRewards()),
                views: address(new FederationViews())
            })
        );
        FederationParameters memory p;
        bytes memory cid = _cid(1);
        p.manifestCid = cid;
        p.genesisModelCid = cid;
        p.genesisModelRoot = keccak256("genesis");
        p.participantStake = STAKE;
        p.missedRevealPenalty = STAKE / 3;
        p.withdrawalDelaySeconds = 10;
        p.maxParticipants = 6;
        p.openMembership = true;
        p.normSqBound = type(uint64).max;
        p.commitWindowSeconds = uint32(WINDOW);
        p.revealWindowSeconds = uint32(WINDOW);
        p.aggregateWindowSeconds = uint32(WINDOW);
        p.challengeWindowSeconds = uint32(WINDOW);
        p.minParticipants = 3;
        p.minUpdates = 3;
        p.aggregatorStake = STAKE;
        p.missedTurnPenalty = STAKE / 5;
        p.dimension = 1000;
        p.chunkSize = 256;
        p.modelFractionBits = 24;
        p.updateFractionBits = 16;
        p.rule = Rule(PreAggregation.NearestNeighborMixing, Combine.TrimmedMean, 1, 0);
        p.serverStep = ServerStep(ServerOptimizer.FedAvg, 65536, 0);
        p.proofBond = STAKE / 10;
        p.bondGasPrice = 1 gwei;
        p.answerWindowSeconds = uint32(WINDOW / 2);
        federation = IFederation(
            new FederationFactory(address(implementation)).createFederation(p, new address[](0))
        );
        for (uint256 i = 0; i < 4; ++i) register(i, 0);
        registerAggregator(4);
        registerAggregator(5);
    }

    function actor(uint256 i) public pure returns (address) {
        return address(uint160(0xA11CE000 + (i % ACTORS)));
    }

    // ---- what people do

    function register(uint256 who, uint96 extra) public {
        uint256 value = STAKE + (extra % STAKE);
        _pay(who, value, "register", abi.encodeCall(federation.registerParticipant, ("", uint96(value), "")));
    }

    function registerAggregator(uint256 who) public {
        _pay(who, STAKE, "registerAggregator", abi.encodeCall(federation.registerAggregator, ("", STAKE, "")));
    }

    function topUp(uint256 who, uint96 amount, bool asAggregator) public {
        Role role = asAggregator ? Role.Aggregator : Role.Participant;
        _pay(who, amount % STAKE, "topUp", abi.encodeCall(federation.topUp, (role, amount % STAKE, "")));
    }

    function commit(uint256 who) public {
        _commit(actor(who));
    }

    function reveal(uint256 who) public {
        _reveal(actor(who));
    }

    /// @dev Everybody does what is due: without it random people hardly ever get through a round together.
    function everybodyActs(uint256 except) public {
        for (uint256 i = 0; i < ACTORS; ++i) {
            if (except % 3 == 0 && i == (except >> 8) % ACTORS) continue;
            RoundPhase phase = federation.currentPhase(federation.currentRound());
            if (phase == RoundPhase.Open || phase == RoundPhase.Commit) _commit(actor(i));
            else if (phase == RoundPhase.Reveal) _reveal(actor(i));
        }
    }

    /// @dev Everybody is of good will for a while: who left comes back, stakes are filled up, everybody acts, the leader publishes.
    function wholeRound() public {
        _skip(2 * WINDOW);
        finalize(0);
        for (uint256 i = 0; i < ACTORS; ++i) {
            withdraw(i, false);
            withdraw(i, true);
            settle(i);
            ParticipantView memory seen = federation.participant(actor(i));
            if (seen.account == address(0)) register(i, STAKE - 1);
            else if (!seen.active) topUp(i, STAKE - 1, false);
            AggregatorView memory standing = federation.aggregator(actor(i));
            if (standing.account == address(0)) registerAggregator(i);
            else if (standing.stake < STAKE) topUp(i, STAKE - 1, true);
        }
        everybodyActs(1);
        everybodyActs(1);
        _skip(WINDOW);
        everybodyActs(1);
        publish(1);
    }

    function publish(uint256 who) public {
        uint64 current = federation.currentRound();
        address sender = who % 4 == 0 ? actor(who >> 8) : federation.leader(current);
        bytes32 root = keccak256(abi.encode("model", ++_nonce));
        RoundView memory seen = federation.round(current);
        bytes32 set = keccak256(abi.encode(seen.accumulator, seen.voidedBitmap));
        Publication memory publication = Publication(root, 0, root, root, set, _cid(_nonce), _cid(_nonce));
        _act(sender, "publish", abi.encodeCall(federation.publishRound, (current, publication)));
    }

    function finalize(uint256 who) public {
        _act(actor(who), "finalize", abi.encodeCall(federation.finalizeRound, (federation.lastFinalRound() + 1)));
    }

    function advance(uint256 who) public {
        _act(actor(who), "advance", abi.encodeCall(federation.advance, (federation.currentRound())));
    }

    function settle(uint256 who) public {
        _act(actor(who >> 8), "settle", abi.encodeCall(federation.settleMissedReveal, (actor(who))));
    }

    function requestExit(uint256 who, bool asAggregator) public {
        if (who % 7 != 0) return;
        Role role = asAggregator ? Role.Aggregator : Role.Participant;
        _act(actor(who >> 8), "requestExit", abi.encodeCall(federation.requestExit, (role)));
    }

    /// @dev A stake at risk cannot leave: what the actor answers for is looked up before, not in the contract's own check.
    function withdraw(uint256 who, bool asAggregator) public {
        address account = actor(who);
        uint64 lastFinal = federation.lastFinalRound();
        ParticipantView memory before = federation.participant(account);
        bool atRisk;
        if (!asAggregator && federation.hasRevealed(before.committedRound, account)) {
            atRisk = before.committedRound > lastFinal;
        }
        for (uint64 r = lastFinal + 1; asAggregator && r <= federation.currentRound(); ++r) {
            if (federation.round(r).aggregator == account) atRisk = true;
        }
        uint256 held = account.balance;
        Role role = asAggregator ? Role.Aggregator : Role.Participant;
        // A round may become final by this very call (abandoned rounds are passed over), so ask again after it.
        if (_act(account, "withdraw", abi.encodeCall(federation.withdraw, (role)))) {
            paidOut += account.balance - held;
            if (atRisk && federation.lastFinalRound() == lastFinal) ++violations;
        }
    }

    function passTime(uint256 seconds_) public {
        _skip(1 + (seconds_ % 3 == 0 ? seconds_ % (3 * WINDOW) : seconds_ % 20));
    }

    function voidSubmission(uint256 index) public {
        if (index % 5 != 0) return;
        bytes memory call_ = abi.encodeCall(
            FederationHarness.voidSubmission,
            (federation.currentRound(), uint16((index >> 8) % 6))
        );
        _act(address(this), "voidSubmission", call_);
    }

    function voidPublication(uint256 which) public {
        if (which % 4 != 0) return;
        uint64 lastFinal = federation.lastFinalRound();
        uint64 number = lastFinal + 1 + uint64((which >> 8) % 3);
        uint32 opening = federation.round(number).opening;
        if (_act(address(this), "voidPublication", abi.encodeCall(FederationHarness.voidPublication, (number)))) {
            // The one way back there is: this round, in this opening, from Challenge to Aggregate.
            seenPhase[number][opening] = RoundPhase.Aggregate;
        }
    }

    // ---- what must hold

    /// @dev Phases only move forward within an opening; a final round keeps its model.
    function checkPhases() external {
        uint64 current = federation.currentRound();
        uint64 lastFinal = federation.lastFinalRound();
        for (uint64 r = 1; r <= current; ++r) {
            RoundView memory view_ = federation.round(r);
            RoundPhase seen = seenPhase[r][view_.opening];
            if (view_.phase < seen) ++violations;
            seenPhase[r][view_.opening] = view_.phase;
            if (r <= lastFinal) {
                if (view_.phase != RoundPhase.Final && view_.phase != RoundPhase.Abandoned) ++violations;
                if (finalRoot[r] != bytes32(0) && finalRoot[r] != view_.modelRoot) ++violations;
                finalRoot[r] = view_.modelRoot;
            } else if (finalRoot[r] != bytes32(0)) {
                ++violations;
            }
        }
    }

    function stakes() external view returns (uint256 sum) {
        for (uint256 i = 0; i < ACTORS; ++i) {
            sum += federation.participant(actor(i)).stake + federation.aggregator(actor(i)).stake;
        }
    }

    /// @dev Participants that the contract counts, counted by hand.
    function activeByHand() external view returns (uint256 count) {
        for (uint256 i = 0; i < ACTORS; ++i) if (federation.participant(actor(i)).active) ++count;
    }

    // ---- how

    function _commit(address sender) private {
        uint64 current = federation.currentRound();
        bytes32 salt = keccak256(abi.encode(sender, current, ++_nonce));
        bytes32 sealed_ = keccak256(
            abi.encode(
                block.chainid,
                address(federation),
                current,
                federation.round(current).baseModelRoot,
                sender,
                salt,
                uint64(7),
                keccak256(_cid(7)),
                salt
            )
        );
        if (_act(sender, "commit", abi.encodeCall(federation.commitUpdate, (current, sealed_)))) {
            _salts[sender][current] = salt;
        }
    }

    function _reveal(address sender) private {
        uint64 current = federation.currentRound();
        bytes32 salt = _salts[sender][current];
        _act(sender, "reveal", abi.encodeCall(federation.revealUpdate, (current, salt, uint64(7), _cid(7), salt)));
    }

    function _pay(uint256 who, uint256 value, bytes32 action, bytes memory call_) private {
        address sender = actor(who);
        vm.deal(sender, sender.balance + value);
        vm.prank(sender);
        (bool ok, ) = address(federation).call{value: value}(call_);
        if (ok) {
            ++succeeded[action];
            paidIn += value;
        } else {
            vm.deal(sender, sender.balance - value);
        }
        _skip(1);
    }

    function _act(address sender, bytes32 action, bytes memory call_) private returns (bool ok) {
        if (sender == address(0)) return false;
        vm.prank(sender);
        (ok, ) = address(federation).call(call_);
        if (ok) ++succeeded[action];
        _skip(1);
    }

    function _skip(uint256 seconds_) private {
        vm.warp(block.timestamp + seconds_);
        vm.roll(block.number + 1);
    }

    function _cid(uint256 n) private pure returns (bytes memory) {
        return abi.encodePacked(bytes4(0x01551220), keccak256(abi.encode("cid", n)));
    }
}
