// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AggregatorView, ParticipantView, Role} from "../../../contracts/types/Actors.sol";
import {Answer, ChunkKind, CoordinateProof, GramLeafProof, MixingProof, RevealedUpdate, SignedCommit, SignedReveal, SumOpening} from "../../../contracts/types/Disputes.sol";
import {Publication, RoundPhase, RoundView} from "../../../contracts/types/Round.sol";
import {JusticeLedger} from "./JusticeLedger.sol";
import {JusticeWorld} from "./JusticeWorld.sol";
import {TinyFederation} from "./TinyFederation.sol";
import {TinyRules} from "./TinyRules.sol";
import {TinyTrees} from "./TinyTrees.sol";
import {vm} from "./Vm.sol";

/// @notice For tests only: random people in random order, honest ones, liars, framers, hiders and watchers. Each action is tried as it
///         comes and may be refused by the federation; `succeeded` counts those that were not.
contract JusticeHandler is JusticeWorld {
    uint256 internal constant WINDOW = TinyFederation.WINDOW;

    /// An availability challenge, as whoever posted it remembers it.
    struct Asked {
        bytes32 id;
        ChunkKind kind;
        uint64 round;
        uint32 opening;
        uint32 chunk;
        uint16 index;
        bytes32 publicationHash;
        address challenger;
        address owner;
        uint256 bond;
        bool closed;
    }

    /// Where a root was revealed first.
    struct Seen {
        uint64 round;
        uint32 opening;
        uint256 position;
    }

    Asked[] internal _asked;
    mapping(bytes32 root => Seen) private _firstSeen;
    mapping(uint64 round => mapping(uint32 opening => RoundPhase)) private _seenPhase;
    mapping(uint64 round => uint32 turn) private _seenTurn;
    mapping(uint64 round => bytes32) private _finalRoot;
    uint256 private _diligentStake;
    address private immutable _test = msg.sender;

    constructor(bool withToken, bool mixed_) JusticeLedger(withToken, mixed_) {
        for (uint256 i = 0; i < 4; ++i) _register(i, STAKE);
        _diligentStake = STAKE;
        registerAggregator(4);
        registerAggregator(5);
    }

    /// @dev What the tests do themselves; random people do not.
    modifier byTest() {
        require(msg.sender == _test, "for the tests");
        _;
    }

    /// @dev Whatever happens, the diligent one does what is due before its time is over.
    modifier inTime() {
        _;
        _diligence();
    }

    // ---- members and stakes

    function register(uint256 who, uint96 extra) public inTime {
        _register(who, STAKE + (extra % STAKE));
    }

    function _register(uint256 who, uint96 amount) private {
        _place(actor(who), amount, "register", abi.encodeCall(federation.registerParticipant, ("", amount, "")));
    }

    function registerAggregator(uint256 who) public inTime {
        _place(
            actor(who),
            STAKE,
            "registerAggregator",
            abi.encodeCall(federation.registerAggregator, ("", STAKE, ""))
        );
    }

    function topUp(uint256 who, uint96 amount, bool asAggregator) public inTime {
        Role role = asAggregator ? Role.Aggregator : Role.Participant;
        amount %= STAKE;
        bool ok = _place(actor(who), amount, "topUp", abi.encodeCall(federation.topUp, (role, amount, "")));
        if (ok && !asAggregator && actor(who) == diligent()) _diligentStake += amount;
    }

    function requestExit(uint256 who, bool asAggregator) public inTime {
        if (who % 7 != 0 || actor(who >> 8) == diligent()) return;
        Role role = asAggregator ? Role.Aggregator : Role.Participant;
        _act(actor(who >> 8), "requestExit", abi.encodeCall(federation.requestExit, (role)));
    }

    /// @dev INVARIANT I-05: a slashable stake cannot leave: what the actor answers for is looked up before, not in the contract's own check.
    function withdraw(uint256 who, bool asAggregator) public inTime {
        address account = actor(who);
        uint64 lastFinal = federation.lastFinalRound();
        bool atRisk;
        for (uint64 r = lastFinal + 1; r <= federation.currentRound(); ++r) {
            RoundView memory seen = federation.round(r);
            if (asAggregator && seen.aggregator == account) atRisk = true;
            if (!asAggregator && _hasSubmission(seen, account)) atRisk = true;
        }
        Role role = asAggregator ? Role.Aggregator : Role.Participant;
        // A round may become final by this very call (abandoned rounds are passed over), so ask again after it.
        if (_act(account, "withdraw", abi.encodeCall(federation.withdraw, (role)))) {
            _require(!atRisk || federation.lastFinalRound() != lastFinal, "a stake at risk left");
        }
    }

    function _hasSubmission(RoundView memory seen, address account) private view returns (bool) {
        Submission[] storage all = _submissions[seen.opening];
        for (uint256 i = 0; i < all.length; ++i) if (all[i].account == account) return true;
        return false;
    }

    function withdrawCredit(uint256 who) public inTime {
        _withdrawCredit(actor(who));
    }

    /// @dev INVARIANT I-06: what somebody was credited is paid, whatever others do.
    function _withdrawCredit(address account) private {
        if (federation.creditOf(account) == 0) return;
        bool ok = _act(account, "withdrawCredit", abi.encodeCall(federation.withdrawCredit, ()));
        _require(ok, "a credit was not paid");
    }

    // ---- a round

    function commit(uint256 who, uint256 seed) public inTime {
        _commit(who % ACTORS, seed);
    }

    function reveal(uint256 who) public inTime {
        _reveal(actor(who));
    }

    /// @dev Everybody does what is due: without it random people hardly ever get through a round together.
    function everybodyActs(uint256 except, uint256 seed) public inTime {
        for (uint256 i = 0; i < ACTORS; ++i) {
            if (except % 3 == 0 && i == (except >> 8) % ACTORS) continue;
            RoundPhase phase = federation.currentPhase(federation.currentRound());
            if (phase == RoundPhase.Open || phase == RoundPhase.Commit) {
                _commit(i, uint256(keccak256(abi.encode(seed, i))));
            } else if (phase == RoundPhase.Reveal) {
                _reveal(actor(i));
            }
        }
    }

    function publish(uint256 who, uint256 seed) public inTime {
        Lying lying = seed % 4 == 0 ? Lying(1 + (seed >> 8) % 4) : Lying.Nothing;
        _publish(who % 4 == 0 ? actor(who >> 8) : address(0), lying, seed >> 16);
    }

    function finalize(uint256 who) public inTime {
        _act(actor(who), "finalize", abi.encodeCall(federation.finalizeRound, (federation.lastFinalRound() + 1)));
    }

    function advance(uint256 who) public inTime {
        _act(actor(who), "advance", abi.encodeCall(federation.advance, (federation.currentRound())));
    }

    function settleMissedReveal(uint256 who) public inTime {
        _act(actor(who >> 8), "settle", abi.encodeCall(federation.settleMissedReveal, (actor(who))));
    }

    /// @dev Time passes, and whoever is diligent uses it.
    function passTime(uint256 seconds_) public {
        _wait(1 + (seconds_ % 3 == 0 ? seconds_ % (3 * WINDOW) : seconds_ % 20));
    }

    function _wait(uint256 seconds_) internal {
        uint256 step = TinyFederation.ANSWER_WINDOW / 2;
        _diligence();
        while (seconds_ > step) {
            _skip(step);
            seconds_ -= step;
            _diligence();
        }
        _skip(seconds_);
        _diligence();
    }

    function _diligence() private {
        uint64 current = federation.currentRound();
        RoundPhase phase = federation.currentPhase(current);
        if (phase == RoundPhase.Open || phase == RoundPhase.Commit) _commit(0, ++_nonce);
        if (phase == RoundPhase.Reveal && federation.hasCommitted(current, diligent())) {
            if (!federation.hasRevealed(current, diligent())) {
                _require(_reveal(diligent()), "an honest reveal was refused");
            }
        }
        for (uint256 i = 0; i < _asked.length; ++i) {
            if (!_asked[i].closed && _asked[i].owner == diligent()) {
                _require(_answer(i, diligent()), "an honest answer was refused");
            }
        }
    }

    // ---- relayed

    /// @dev Everybody's signed message of the phase in one batch, sent by anybody; some are signed by somebody else.
    function relay(uint256 who, uint256 seed) public inTime {
        RoundView memory seen = federation.round(federation.currentRound());
        if (seen.phase == RoundPhase.Open || seen.phase == RoundPhase.Commit) _relayCommits(actor(who), seen, seed);
        else if (seen.phase == RoundPhase.Reveal) _relayReveals(actor(who), seen, seed);
    }

    function _forged(uint256 i, uint256 seed) private pure returns (bool) {
        return i != 0 && (seed >> (16 * i)) % 6 == 0;
    }

    function _relayCommits(address sender, RoundView memory seen, uint256 seed) private {
        SignedCommit[] memory batch = new SignedCommit[](ACTORS);
        Sealed[] memory own = new Sealed[](ACTORS);
        bool[] memory done = new bool[](ACTORS);
        for (uint256 i = 0; i < ACTORS; ++i) {
            address person = actor(i);
            done[i] = federation.hasCommitted(seen.number, person);
            own[i] = Sealed(++_nonce, TinyTrees.Lie.None, keccak256(abi.encode(person, ++_nonce)));
            batch[i] = SignedCommit(person, _seal(seen, person, own[i]), "");
            bytes32 type_ = keccak256("CommitUpdate(uint64 round,uint32 opening,bytes32 commitHash)");
            bytes32 message = keccak256(abi.encode(type_, seen.number, seen.opening, batch[i].commitHash));
            batch[i].signature = _sign(_forged(i, seed) ? i + 1 : i, message);
        }
        if (!_act(sender, "relayedCommits", abi.encodeCall(federation.commitUpdates, (seen.number, batch)))) return;
        for (uint256 i = 0; i < ACTORS; ++i) {
            if (done[i] || !federation.hasCommitted(seen.number, actor(i))) continue;
            _require(!_forged(i, seed), "somebody committed for another");
            _sealed[actor(i)][seen.opening] = own[i];
        }
    }

    function _relayReveals(address sender, RoundView memory seen, uint256 seed) private {
        SignedReveal[] memory batch = new SignedReveal[](ACTORS);
        bool[] memory done = new bool[](ACTORS);
        for (uint256 i = 0; i < ACTORS; ++i) {
            done[i] = federation.hasRevealed(seen.number, actor(i));
            batch[i] = _signReveal(seen, i, _forged(i, seed) ? i + 1 : i);
        }
        if (!_act(sender, "relayedReveals", abi.encodeCall(federation.revealUpdates, (seen.number, batch)))) return;
        for (uint256 i = 0; i < ACTORS; ++i) {
            if (done[i] || !federation.hasRevealed(seen.number, actor(i))) continue;
            _require(!_forged(i, seed), "somebody revealed for another");
            _remember(seen, actor(i), _sealed[actor(i)][seen.opening]);
        }
    }

    function _signReveal(
        RoundView memory seen,
        uint256 i,
        uint256 signer
    ) private view returns (SignedReveal memory signed) {
        Sealed memory own = _sealed[actor(i)][seen.opening];
        TinyTrees.SumTree memory tree = TinyTrees.sumTree(own.seed, own.lie);
        bytes memory cid = TinyFederation.cid(own.seed);
        bytes32 type_ = keccak256(
            "RevealUpdate(uint64 round,uint32 opening,bytes32 root,uint64 normSq,bytes32 cidHash,bytes32 salt)"
        );
        bytes32 message = keccak256(
            abi.encode(type_, seen.number, seen.opening, tree.root, tree.normSq, keccak256(cid), own.salt)
        );
        signed = SignedReveal(actor(i), tree.root, tree.normSq, cid, own.salt, _sign(signer, message));
    }

    function _sign(uint256 signer, bytes32 message) private view returns (bytes memory) {
        bytes32 type_ = keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        );
        bytes32 domain = keccak256(
            abi.encode(type_, keccak256("Assay"), keccak256("1"), block.chainid, address(federation))
        );
        (uint8 v, bytes32 r, bytes32 t) = vm.sign(
            privateKey(signer),
            keccak256(abi.encodePacked(bytes2(0x1901), domain, message))
        );
        return abi.encodePacked(r, t, v);
    }

    // ---- justice

    /// @dev A watcher looks at every round that is not final, and proves the first lie it finds.
    function watch(uint256 who) public inTime {
        address watcher = actor(who);
        uint64 current = federation.currentRound();
        for (uint64 r = federation.lastFinalRound() + 1; r <= current; ++r) {
            RoundView memory seen = federation.round(r);
            if (seen.phase < RoundPhase.Reveal || seen.phase > RoundPhase.Challenge) continue;
            if (_watchSubmissions(watcher, seen)) return;
            if (seen.phase == RoundPhase.Challenge && _watchPublication(watcher, seen)) return;
        }
    }

    function _watchSubmissions(address watcher, RoundView memory seen) private returns (bool) {
        Submission[] storage all = _submissions[seen.opening];
        for (uint256 i = 0; i < all.length; ++i) {
            Submission memory one = all[i];
            if (_isVoid(seen, one.index)) continue;
            if (one.lie != TinyTrees.Lie.None) {
                return _prove(watcher, "badSum", _badSum(seen, i, one.lie), one.account, Role.Participant, true);
            }
            Seen memory first = _firstSeen[one.root];
            bool copy = first.opening != seen.opening || first.position != i;
            if (!copy || seen.phase == RoundPhase.Challenge) continue;
            if (federation.round(first.round).opening != first.opening) continue;
            bytes memory call_ = abi.encodeCall(
                federation.voidCopiedUpdate,
                (seen.number, _reveals(seen.opening), i, first.round, _reveals(first.opening), first.position)
            );
            if (_act(watcher, "copied", call_)) return true;
        }
        return false;
    }

    /// @dev The opening of the place where a tree with this lie lies; for an honest tree any place will do.
    function _badSum(
        RoundView memory seen,
        uint256 accused,
        TinyTrees.Lie lie
    ) private view returns (bytes memory) {
        Submission memory one = _submissions[seen.opening][accused];
        TinyTrees.SumTree memory tree = _tree(one);
        SumOpening memory opening;
        if (lie == TinyTrees.Lie.Node) {
            opening.level = 1;
            opening.claimedSum = tree.nodeSum[0];
            opening.preimage = TinyTrees.nodePreimage(tree, 0);
        } else if (lie == TinyTrees.Lie.Vacancy) {
            opening.position = 3;
            opening.hash = tree.leaf[3];
        } else {
            opening.claimedSum = tree.leafSum[0];
            opening.preimage = abi.encodePacked(bytes1(0x00), tree.leafSum[0], TinyTrees.chunk(one.seed, 0));
        }
        opening.path = TinyTrees.sumPath(tree, opening.level, opening.position);
        return
            abi.encodeCall(federation.proveBadSum, (seen.number, _reveals(seen.opening), accused, opening));
    }

    function _watchPublication(address watcher, RoundView memory seen) private returns (bool) {
        Published memory published = _published[seen.publicationHash];
        if (published.lying == Lying.Nothing) return false;
        (bytes32 action, bytes memory call_) = _aboutPublication(seen, published.lying, published.where);
        return _prove(watcher, action, call_, seen.aggregator, Role.Aggregator, true);
    }

    /// @dev The proof about one number of a publication, wherever that is right or wrong.
    function _aboutPublication(
        RoundView memory seen,
        Lying what,
        uint256 where
    ) private view returns (bytes32 action, bytes memory call_) {
        if (what == Lying.Gram) return ("badGramLeaf", _gramLeaf(seen));
        if (what == Lying.Mixing) return ("badMixing", _mixing(seen));
        bool ofState = mixed && what == Lying.State;
        CoordinateProof memory proof = _coordinateProof(seen, where % TinyTrees.DIMENSION, ofState);
        return ("badCoordinate", abi.encodeCall(federation.proveBadCoordinate, (proof)));
    }

    function _gramLeaf(RoundView memory seen) private view returns (bytes memory) {
        Published memory published = _published[seen.publicationHash];
        Computed memory computed = _compute(seen, published.lying, published.where);
        Submission[] memory rows = _rows(seen);
        GramLeafProof memory proof;
        proof.round = seen.number;
        proof.second = 1;
        proof.publication = published.publication;
        proof.reveals = _reveals(seen.opening);
        proof.matrix = TinyRules.gramMatrixPreimage(computed.gram);
        proof.row = TinyRules.gramRowPreimage(computed.gram, 0);
        proof.firstChunks = _allChunks(rows[0]);
        proof.secondChunks = _allChunks(rows[1]);
        return abi.encodeCall(federation.proveBadGramLeaf, (proof));
    }

    function _allChunks(Submission memory one) private pure returns (bytes memory chunks) {
        TinyTrees.SumTree memory tree = _tree(one);
        for (uint256 c = 0; c < TinyTrees.CHUNKS; ++c) {
            chunks = abi.encodePacked(chunks, tree.leafSum[c], TinyTrees.chunk(one.seed, c));
        }
    }

    function _mixing(RoundView memory seen) private view returns (bytes memory) {
        Published memory published = _published[seen.publicationHash];
        Computed memory computed = _compute(seen, published.lying, published.where);
        MixingProof memory proof;
        proof.round = seen.number;
        proof.publication = published.publication;
        proof.reveals = _reveals(seen.opening);
        proof.root = TinyRules.gramTriangle(computed.gram);
        proof.mixing = TinyRules.mixingPreimage(TinyRules.nearest(computed.gram));
        return abi.encodeCall(federation.proveBadMixing, (proof));
    }

    /// @dev INVARIANT I-04, I-07: a proof convicts exactly who lied: of a conviction the sender gets at most half, and its bond back; a
    ///      false accusation costs the bond.
    function _prove(
        address sender,
        bytes32 action,
        bytes memory call_,
        address accused,
        Role role,
        bool guilty
    ) private returns (bool ok) {
        uint256 stake = stakeOf(accused, role);
        uint256 credit = federation.creditOf(sender);
        ok = _send(sender, TinyFederation.PROOF_BOND, guilty ? action : bytes32("framed"), call_);
        if (!ok) return false;
        if (guilty) {
            _convicted(accused, role, stake, sender, federation.creditOf(sender) - credit - TinyFederation.PROOF_BOND);
        } else {
            _require(accused == sender || stakeOf(accused, role) == stake, "an honest one was slashed");
            _maySpend(sender, TinyFederation.PROOF_BOND);
            _mayGain(accused, TinyFederation.PROOF_BOND);
        }
        _account(action);
    }

    function _convicted(address accused, Role role, uint256 stake, address challenger, uint256 reward) private {
        _require(accused != diligent() || role != Role.Participant, "who did everything right was slashed");
        _require(stakeOf(accused, role) == 0, "a convict kept a stake");
        _require(2 * reward <= stake, "less than half was burned");
        // A missed turn or reveal may have been charged by the same call.
        uint256 charges = STAKE / 3 + STAKE / 5;
        _require(2 * reward + 1 + charges >= stake, "the challenger got too little");
        _mayGain(challenger, reward);
        _maySpend(accused, reward);
    }

    /// @dev A false accusation, in due form: of a sum, or of a number in a publication, that is right.
    function frame(uint256 who, uint256 seed) public inTime {
        uint64 number = federation.currentRound() - uint64(seed % 3 < federation.currentRound() ? seed % 3 : 0);
        RoundView memory seen = federation.round(number);
        Submission[] storage all = _submissions[seen.opening];
        if (all.length == 0) return;
        uint256 accused = (seed >> 8) % all.length;
        if (seed % 2 == 0 || seen.phase != RoundPhase.Challenge) {
            if (all[accused].lie != TinyTrees.Lie.None) return;
            TinyTrees.Lie place = (seed >> 16) % 2 == 0 ? TinyTrees.Lie.Leaf : TinyTrees.Lie.Node;
            bytes memory call_ = _badSum(seen, accused, place);
            _prove(actor(who), "badSum", call_, all[accused].account, Role.Participant, false);
        } else if (_published[seen.publicationHash].lying == Lying.Nothing) {
            Lying about = Lying(1 + (seed >> 16) % 4);
            if (!mixed) about = Lying.Coordinate;
            (bytes32 action, bytes memory call_) = _aboutPublication(seen, about, seed >> 24);
            _prove(actor(who), action, call_, seen.aggregator, Role.Aggregator, false);
        }
    }

    /// @dev A proof with one byte of its numbers changed convicts nobody that is honest.
    function forge(uint256 who, uint256 seed) public inTime {
        uint64 number = federation.currentRound() - uint64(seed % 3 < federation.currentRound() ? seed % 3 : 0);
        RoundView memory seen = federation.round(number);
        Submission[] storage all = _submissions[seen.opening];
        if (all.length == 0) return;
        uint256 accused = (seed >> 8) % all.length;
        bool publication = seen.phase == RoundPhase.Challenge && (seed >> 128) % 2 == 0;
        if (publication ? _published[seen.publicationHash].lying != Lying.Nothing : all[accused].lie != TinyTrees.Lie.None)
            return;
        bytes memory call_;
        if (publication) (, call_) = _aboutPublication(seen, mixed ? Lying(1 + (seed >> 16) % 4) : Lying.Coordinate, seed >> 24);
        else call_ = _badSum(seen, accused, TinyTrees.Lie.Leaf);
        uint256 place = 4 + (seed >> 32) % (call_.length - 4);
        call_[place] ^= bytes1(uint8(1 + ((seed >> 64) % 255)));
        if (!_send(actor(who), TinyFederation.PROOF_BOND, "forged", call_)) return;
        // Taken: it showed a number that is right (the byte chose another place, or none), and cost the bond.
        address gainer = _gainer(actor(who));
        if (gainer != address(0)) {
            _maySpend(actor(who), TinyFederation.PROOF_BOND);
            _mayGain(gainer, TinyFederation.PROOF_BOND);
        }
        _account("forged");
    }

    // ---- availability

    function ask(uint256 who, uint256 seed) public inTime {
        uint64 current = federation.currentRound();
        uint64 number = current - uint64((seed >> 8) % 3 < current ? (seed >> 8) % 3 : 0);
        RoundView memory seen = federation.round(number);
        if (seen.phase != RoundPhase.Aggregate && seen.phase != RoundPhase.Challenge) return;
        ChunkKind kind = ChunkKind(seed % 4);
        if (seen.phase == RoundPhase.Aggregate) kind = ChunkKind.Update;
        Submission[] storage all = _submissions[seen.opening];
        Submission memory target = all[(seed >> 16) % all.length];
        uint32 chunk = kind == ChunkKind.Gram ? 0 : uint32((seed >> 24) % TinyTrees.CHUNKS);
        _ask(actor(who), seen, kind, target, chunk);
    }

    function _ask(
        address challenger,
        RoundView memory seen,
        ChunkKind kind,
        Submission memory target,
        uint32 chunk
    ) internal returns (bool) {
        bool update = kind == ChunkKind.Update;
        uint96 bond = federation.availabilityBond(kind, seen.number);
        RevealedUpdate[] memory none;
        Publication memory nothing;
        bytes memory call_ = abi.encodeCall(
            federation.challengeAvailability,
            (
                kind,
                seen.number,
                update ? target.index : 0,
                chunk,
                update ? _reveals(seen.opening) : none,
                update ? nothing : _published[seen.publicationHash].publication
            )
        );
        (bool ok, bytes memory returned) = _sendFor(challenger, bond, "asked", call_);
        if (!ok) return false;
        _asked.push(
            Asked({
                id: abi.decode(returned, (bytes32)),
                kind: kind,
                round: seen.number,
                opening: seen.opening,
                chunk: chunk,
                index: target.index,
                publicationHash: seen.publicationHash,
                challenger: challenger,
                owner: update ? target.account : seen.aggregator,
                bond: bond,
                closed: false
            })
        );
        _posted(challenger, bond);
        _account("asked");
        return true;
    }

    function answer(uint256 who, uint256 which) public inTime {
        if (_asked.length != 0) _answer(which % _asked.length, actor(who));
    }

    /// @dev Everybody answers what it is asked for, liars as far as they can.
    function everybodyAnswers() public inTime {
        for (uint256 i = 0; i < _asked.length; ++i) if (!_asked[i].closed) _answer(i, _asked[i].owner);
    }

    function _answer(uint256 which, address sender) internal returns (bool) {
        Asked storage asked = _asked[which];
        Answer[] memory answers = new Answer[](1);
        answers[0] = Answer(asked.id, sender, _openingFor(asked), "");
        // Every other one goes through somebody else, signed by who owes the answer.
        bool relayed = which % 2 == 1 && sender == asked.owner;
        if (relayed) {
            bytes32 type_ = keccak256("AnswerChallenge(bytes32 id,address payee)");
            answers[0].signature = _sign(_number(sender), keccak256(abi.encode(type_, asked.id, sender)));
        }
        if (!_send(relayed ? actor(6) : sender, 0, "answered", abi.encodeCall(federation.answerChallenges, (answers)))) return false;
        _require(!asked.closed, "a challenge was answered twice");
        asked.closed = true;
        _returned(asked.challenger, asked.bond);
        _maySpend(asked.challenger, asked.bond);
        _mayGain(sender, asked.bond);
        _account("answered");
        return true;
    }

    function _number(address person) private view returns (uint256 i) {
        while (actor(i) != person) ++i;
    }

    function _openingFor(Asked memory asked) private view returns (bytes memory) {
        if (asked.kind == ChunkKind.Update) {
            Submission[] storage all = _submissions[asked.opening];
            for (uint256 i = 0; i < all.length; ++i) {
                Submission memory one = all[i];
                if (one.index == asked.index) return TinyTrees.updateOpening(_tree(one), one.seed, asked.chunk);
            }
        }
        Publication memory publication = _published[asked.publicationHash].publication;
        if (asked.kind == ChunkKind.Model) return TinyTrees.modelOpening(_models[publication.modelRoot], asked.chunk);
        if (asked.kind == ChunkKind.State) return TinyTrees.modelOpening(_models[publication.stateRoot], asked.chunk);
        return _gramOf[asked.publicationHash];
    }

    function settleChallenge(uint256 who, uint256 which) public inTime {
        if (_asked.length != 0) _settle(which % _asked.length, actor(who));
    }

    function _settle(uint256 which, address sender) internal returns (bool) {
        Asked storage asked = _asked[which];
        Role role = asked.kind == ChunkKind.Update ? Role.Participant : Role.Aggregator;
        uint256 stake = stakeOf(asked.owner, role);
        uint256 credit = federation.creditOf(asked.challenger);
        uint256 answerBy = federation.challenge(asked.id).answerBy;
        if (!_send(sender, 0, "settled", abi.encodeCall(federation.settleChallenge, (asked.id)))) return false;
        _require(!asked.closed, "a challenge was settled after its answer");
        _require(block.timestamp >= answerBy, "a challenge was settled before its time");
        asked.closed = true;
        _returned(asked.challenger, asked.bond);
        uint256 gained = federation.creditOf(asked.challenger) - credit;
        _require(gained >= asked.bond, "a bond was kept");
        if (gained > asked.bond) {
            ++succeeded["unavailable"];
            _convicted(asked.owner, role, stake, asked.challenger, gained - asked.bond);
        } else {
            ++succeeded["refunded"];
        }
        _account("settled");
        return true;
    }

    // ---- rewards

    function fund(uint256 who, uint96 amount) public inTime {
        amount = 1 + (amount % (4 * TinyFederation.ROUND_REWARD));
        bool ok = _send(actor(who), amount, "funded", abi.encodeCall(federation.fundRewards, (amount, "")));
        if (!ok) return;
        _maySpend(actor(who), amount);
        _account("funded");
    }

    function distribute(uint256 who, uint256 which) public inTime {
        uint64 lastFinal = federation.lastFinalRound();
        if (lastFinal != 0) _distribute(actor(who), 1 + uint64(which % lastFinal));
    }

    function _distribute(address sender, uint64 number) internal {
        RoundView memory seen = federation.round(number);
        uint256 reward = federation.rewardOf(number);
        Publication memory publication = _published[seen.publicationHash].publication;
        uint256[] memory credits = new uint256[](ACTORS);
        for (uint256 i = 0; i < ACTORS; ++i) credits[i] = federation.creditOf(actor(i));
        bytes memory call_ = abi.encodeCall(
            federation.distributeRewards,
            (number, _reveals(seen.opening), publication, mixed ? _gramOf[seen.publicationHash] : bytes(""))
        );
        if (!_send(sender, 0, "distributed", call_)) return;
        _require(reward != 0, "a round was rewarded twice");
        Submission[] memory rows = _rows(seen);
        uint256 toAggregator = (reward * TinyFederation.AGGREGATOR_BPS) / 10_000;
        uint256 each = ((reward - toAggregator) * (mixed ? 5_000 : 10_000)) / 10_000 / rows.length;
        uint256 sum;
        for (uint256 i = 0; i < ACTORS; ++i) {
            address person = actor(i);
            uint256 gained = federation.creditOf(person) - credits[i];
            uint256 least = person == seen.aggregator ? toAggregator : 0;
            bool counted;
            for (uint256 j = 0; j < rows.length; ++j) if (rows[j].account == person) counted = true;
            if (counted) least += each;
            _require(gained >= least, "somebody got less than its share");
            // Of a tiny reward a share may be nothing, and the dust is the aggregator's.
            _require(counted || person == seen.aggregator || gained == 0, "a stranger was rewarded");
            _mayGain(person, gained);
            sum += gained;
        }
        _require(sum == reward, "a reward is not the sum of its shares");
        _require(federation.rewardOf(number) == 0, "a reward is left");
        _account("distributed");
    }

    // ---- what must hold

    /// @dev INVARIANT I-02: phases only move forward within an opening, but for a publication that fell; a final round keeps its model.
    function checkPhases() external byTest {
        uint64 current = federation.currentRound();
        uint64 lastFinal = federation.lastFinalRound();
        for (uint64 r = 1; r <= current; ++r) {
            RoundView memory seen = federation.round(r);
            RoundPhase before = _seenPhase[r][seen.opening];
            bool fell = before == RoundPhase.Challenge && seen.phase == RoundPhase.Aggregate && seen.turn > _seenTurn[r];
            bool fellShort = before == RoundPhase.Challenge && seen.phase == RoundPhase.Abandoned;
            _require(seen.phase >= before || fell || fellShort, "a phase went back");
            _seenPhase[r][seen.opening] = seen.phase;
            _seenTurn[r] = seen.turn;
            if (r <= lastFinal) {
                bool done = seen.phase == RoundPhase.Final || seen.phase == RoundPhase.Abandoned;
                _require(done, "a final round is open");
                _require(_finalRoot[r] == 0 || _finalRoot[r] == seen.modelRoot, "a final round changed");
                _finalRoot[r] = seen.modelRoot;
            } else {
                _require(_finalRoot[r] == 0, "a final round is final no more");
            }
        }
        ParticipantView memory one = federation.participant(diligent());
        _require(one.stake >= _diligentStake && one.penaltyDue == 0, "who did everything right lost something");
    }

    /// @dev Participants that the contract counts, counted by hand.
    function activeByHand() external view returns (uint256 count) {
        for (uint256 i = 0; i < ACTORS; ++i) if (federation.participant(actor(i)).active) ++count;
    }

    // ---- good will, for the end of each run

    /// @dev Everybody is of good will for a while: lies are proven, questions answered, who left comes back, stakes are filled up.
    function goodWill() external byTest {
        _goodWill();
    }

    function _goodWill() private {
        for (uint256 i = 0; i < 4; ++i) {
            everybodyAnswers();
            _wait(2 * WINDOW);
            watch(6);
            for (uint256 j = 0; j < _asked.length; ++j) if (!_asked[j].closed) _settle(j, actor(j));
            finalize(0);
        }
        for (uint256 i = 0; i < ACTORS; ++i) {
            if (i != 0) {
                withdraw(i, false);
                withdraw(i, true);
            }
            settleMissedReveal(i);
            ParticipantView memory seen = federation.participant(actor(i));
            if (seen.account == address(0)) register(i, STAKE - 1);
            else if (!seen.active) _topUpFully(i, false);
            AggregatorView memory standing = federation.aggregator(actor(i));
            if (standing.account == address(0)) registerAggregator(i);
            else if (standing.stake < STAKE) _topUpFully(i, true);
        }
    }

    function _topUpFully(uint256 who, bool asAggregator) private {
        Role role = asAggregator ? Role.Aggregator : Role.Participant;
        _place(actor(who), STAKE, "topUp", abi.encodeCall(federation.topUp, (role, STAKE, "")));
    }

    /// @dev Up to a publication that has what is wanted in it: `lie` is one participant's, `lying` the aggregator's.
    function wholeRound(TinyTrees.Lie lie, Lying lying) external byTest {
        _goodWill();
        for (uint256 i = 0; i < 4; ++i) {
            uint64 number = federation.currentRound();
            bool lied = _everybodyCommits(lie);
            _wait(federation.currentPhase(number) == RoundPhase.Commit ? WINDOW : 1);
            for (uint256 j = 0; j < ACTORS; ++j) _reveal(actor(j));
            _wait(federation.currentPhase(number) == RoundPhase.Reveal ? WINDOW : 1);
            if (_publish(address(0), lied ? lying : Lying.Nothing, 17) && lied) return;
        }
    }

    /// @dev Up to a publication, without a transaction of any participant's own but the diligent one's.
    function relayedRound() external byTest {
        _goodWill();
        uint256 before = succeeded["relayedReveals"];
        for (uint256 i = 0; i < 4; ++i) {
            uint64 number = federation.currentRound();
            relay(6, type(uint256).max);
            _wait(federation.currentPhase(number) == RoundPhase.Commit ? WINDOW : 1);
            relay(6, type(uint256).max);
            _wait(federation.currentPhase(number) == RoundPhase.Reveal ? WINDOW : 1);
            if (_publish(address(0), Lying.Nothing, 0) && succeeded["relayedReveals"] > before) return;
        }
    }

    function _everybodyCommits(TinyTrees.Lie lie) private returns (bool lied) {
        lied = lie == TinyTrees.Lie.None;
        uint64 number = federation.currentRound();
        for (uint256 i = 0; i < ACTORS && federation.currentRound() == number; ++i) {
            bool here = !lied && i != 0;
            if (_commitUpdate(actor(i), ++_nonce, here ? lie : TinyTrees.Lie.None) && here) lied = true;
        }
    }

    /// @dev Asks for a chunk of everything there is in the round published last; says how many questions were taken.
    function askEverything(uint256 who) external byTest returns (uint256 asked) {
        RoundView memory seen = federation.round(federation.currentRound() - 1);
        Submission memory target = _submissions[seen.opening][0];
        for (uint8 kind = 0; kind <= (mixed ? 3 : 1); ++kind) {
            uint32 chunk = kind == 3 ? 0 : 2;
            if (_ask(actor(who), seen, ChunkKind(kind), target, chunk)) ++asked;
        }
    }

    /// @dev Asks two that are not diligent, a participant and the aggregator, who do not answer.
    function askAndHearNothing(uint256 who) external byTest {
        RoundView memory seen = federation.round(federation.currentRound() - 1);
        Submission[] storage all = _submissions[seen.opening];
        uint256 target = all[0].account == diligent() ? 1 : 0;
        uint256 first = _asked.length;
        _ask(actor(who), seen, ChunkKind.Model, all[target], 1);
        _ask(actor(who), seen, ChunkKind.Update, all[target], 1);
        _wait(TinyFederation.ANSWER_WINDOW);
        for (uint256 i = first; i < _asked.length; ++i) _settle(i, actor(i));
    }

    function distributeAll(uint256 who) external byTest {
        for (uint64 r = 1; r <= federation.lastFinalRound(); ++r) {
            if (federation.rewardOf(r) != 0) _distribute(actor(who), r);
        }
    }

    /// @dev INVARIANT I-06: in the end everybody gets out whole, the diligent one at once when its last round is final.
    function everybodyLeaves() external byTest {
        _goodWill();
        Role role = Role.Participant;
        _act(diligent(), "requestExit", abi.encodeCall(federation.requestExit, (role)));
        for (uint256 i = 0; i < 3; ++i) {
            everybodyAnswers();
            _publish(address(0), Lying.Nothing, 0);
            _wait(2 * WINDOW);
            finalize(i);
        }
        uint256 pocket = held(diligent());
        uint256 stake = stakeOf(diligent(), role);
        bool ok = _act(diligent(), "withdraw", abi.encodeCall(federation.withdraw, (role)));
        _require(ok && held(diligent()) == pocket + stake, "an honest stake was not paid out");
        _diligentStake = 0;
        for (uint256 i = 0; i < ACTORS; ++i) _withdrawCredit(actor(i));
    }

    // ---- how

    /// @dev Most updates are honest; some trees lie, some updates are everybody's.
    function _commit(uint256 who, uint256 seed) private {
        uint256 grown = uint256(keccak256(abi.encode(seed, who, ++_nonce)));
        TinyTrees.Lie lie;
        if (who != 0 && seed % 12 == 0) lie = TinyTrees.Lie(1 + (seed >> 8) % 3);
        if (who != 0 && seed % 12 == 1) grown = 4711;
        _commitUpdate(actor(who), grown, lie);
    }

    function _commitUpdate(address sender, uint256 seed, TinyTrees.Lie lie) internal returns (bool ok) {
        RoundView memory seen = federation.round(federation.currentRound());
        bytes32 salt = keccak256(abi.encode(sender, ++_nonce));
        bytes32 sealed_ = _seal(seen, sender, Sealed(seed, lie, salt));
        ok = _act(sender, "commit", abi.encodeCall(federation.commitUpdate, (seen.number, sealed_)));
        if (ok) _sealed[sender][seen.opening] = Sealed(seed, lie, salt);
    }

    function _seal(RoundView memory seen, address sender, Sealed memory own) private view returns (bytes32) {
        TinyTrees.SumTree memory tree = TinyTrees.sumTree(own.seed, own.lie);
        return
            keccak256(
                abi.encode(
                    block.chainid,
                    address(federation),
                    seen.number,
                    seen.baseModelRoot,
                    sender,
                    tree.root,
                    tree.normSq,
                    keccak256(TinyFederation.cid(own.seed)),
                    own.salt
                )
            );
    }

    function _reveal(address sender) internal returns (bool ok) {
        RoundView memory seen = federation.round(federation.currentRound());
        Sealed memory own = _sealed[sender][seen.opening];
        if (own.salt == 0) return false;
        TinyTrees.SumTree memory tree = TinyTrees.sumTree(own.seed, own.lie);
        bytes memory cid = TinyFederation.cid(own.seed);
        bytes memory call_ = abi.encodeCall(
            federation.revealUpdate,
            (seen.number, tree.root, tree.normSq, cid, own.salt)
        );
        ok = _act(sender, "reveal", call_);
        if (ok) _remember(seen, sender, own);
    }

    /// @dev What everybody knows after a reveal.
    function _remember(RoundView memory seen, address sender, Sealed memory own) private {
        TinyTrees.SumTree memory tree = TinyTrees.sumTree(own.seed, own.lie);
        Seen memory first = _firstSeen[tree.root];
        if (first.opening == 0 || federation.round(first.round).opening != first.opening) {
            _firstSeen[tree.root] = Seen(seen.number, seen.opening, _submissions[seen.opening].length);
        }
        bytes32 cidHash = keccak256(TinyFederation.cid(own.seed));
        uint16 index = federation.participant(sender).index;
        _submissions[seen.opening].push(
            Submission(sender, index, own.seed, own.lie, tree.root, tree.normSq, cidHash)
        );
    }

    /// @param sender zero: whose turn it is
    function _publish(address sender, Lying lying, uint256 where) internal returns (bool) {
        uint64 current = federation.currentRound();
        RoundView memory seen = federation.round(current);
        if (seen.phase != RoundPhase.Aggregate) return false;
        if (!mixed && lying != Lying.Nothing) lying = Lying.Coordinate;
        Publication memory publication = _preparePublication(seen, lying, where);
        return
            _act(
                sender == address(0) ? seen.leader : sender,
                "publish",
                abi.encodeCall(federation.publishRound, (current, publication))
            );
    }
}
