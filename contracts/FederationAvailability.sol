// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {RoundDisputes, RoundHead, RoundRecord} from "./federation/FederationStorage.sol";
import {Slashing} from "./federation/Slashing.sol";
import {IFederationAvailability} from "./interfaces/IFederationAvailability.sol";
import {AskedChunk, ChunkAnswer, VectorShape} from "./libraries/ChunkAnswer.sol";
import {RuleParameters} from "./libraries/RuleParameters.sol";
import {ServerState} from "./libraries/ServerState.sol";
import {TypedData} from "./libraries/TypedData.sol";
import {Answer, Challenge, ChunkKind, ProofKind, RevealedUpdate} from "./types/Disputes.sol";
import {Publication, RoundPhase} from "./types/Round.sol";

/// @title Availability challenges
/// @notice A module of Federation (federation/Modules.sol). A challenge carries everything that its answer is checked
///         against, so nothing that anybody does to the round can stand between an owner and its answer. Specified in
///         docs/spec/disputes.md; docs/decisions/0012 says why the clocks are as they are.
contract FederationAvailability is Slashing, IFederationAvailability {
    using SafeCast for uint256;

    // ---- what an answer costs, alone in its transaction: measured, and held by test/contracts/answerGas.test.ts

    /// @dev As calldata, at the floor of EIP-7623: 40 gas a byte, and what the call has beside the opening.
    uint256 private constant FLOOR_BASE = 32_000;
    uint256 private constant FLOOR_BYTE = 40;
    /// @dev As work: sending it, closing the challenge, the payee's first credit, the signature of its owner's key ...
    uint256 private constant WORK_BASE = 98_000;
    /// @dev ... for each byte 16 as calldata, 8 in the log, and copies ...
    uint256 private constant WORK_BYTE = 26;
    /// @dev ... for each level of a path and each row of a matrix a call of the hash ...
    uint256 private constant WORK_HASH = 480;
    /// @dev ... and for each coordinate of an update a square.
    uint256 private constant WORK_SQUARE = 48;

    // ---- asking

    /// @inheritdoc IFederationAvailability
    function challengeAvailability(
        ChunkKind kind,
        uint64 round,
        uint16 index,
        uint32 chunk,
        RevealedUpdate[] calldata reveals,
        Publication calldata publication
    ) external payable returns (bytes32 id) {
        // First: a token may call its payer back.
        uint96 bond = _takeBond(kind, round);
        (uint256 current, RoundHead memory head) = _advance();
        if (round != current) head = _rounds[round].head;
        _checkOpen(kind, round, round > current ? RoundPhase.None : head.phase, head.clock);

        Challenge memory asked;
        asked.kind = kind;
        asked.round = round;
        asked.chunk = chunk;
        asked.challenger = msg.sender;
        asked.bond = bond;
        asked.answerBy = _now() + _parameters.answerWindowSeconds;
        asked.instance = _instance(kind, head);
        if (kind == ChunkKind.Update) _askUpdate(asked, index, reveals);
        else _askPublished(asked, head, publication);
        // INVARIANT (C-101): only a chunk that there is.
        if (chunk >= _chunkCount(kind)) revert ChallengeNotAllowed(round);

        id = _idOf(asked.kind, asked.round, asked.instance, asked.index, asked.chunk);
        // INVARIANT (C-103): one chunk is asked for once; its answer stays on the chain.
        if (_challenges[id].challenger != address(0)) revert ChallengeExists(id);
        _challenges[id] = asked;
        _holdRound(asked, head);
        emit ChallengeOpened(
            id,
            round,
            kind,
            asked.index,
            chunk,
            msg.sender,
            asked.owner,
            bond,
            asked.answerBy
        );
    }

    /// @dev Takes what is sent as the bond, at least `availabilityBond`; of a token exactly that.
    function _takeBond(ChunkKind kind, uint64 round) private returns (uint96) {
        uint96 least = _bond(kind, round);
        if (_parameters.stakeToken != address(0)) {
            _collect(least);
            return least;
        }
        // INVARIANT (C-104): the bond pays for the answer.
        if (msg.value < least) revert WrongBond(least, msg.value);
        return msg.value.toUint96();
    }

    function _checkOpen(ChunkKind kind, uint64 round, RoundPhase phase, uint40 clock) private view {
        if (kind == ChunkKind.Update && phase == RoundPhase.Aggregate) return;
        // INVARIANT (C-100): what counts, or was published, is asked for while it can still fall; and finality cannot be
        // put off for ever.
        if (phase != RoundPhase.Challenge) revert WrongPhase(round, phase, RoundPhase.Challenge);
        if (block.timestamp >= uint256(clock) + 2 * uint256(_parameters.challengeWindowSeconds)) {
            revert ChallengeNotAllowed(round);
        }
    }

    function _askUpdate(Challenge memory asked, uint16 index, RevealedUpdate[] calldata reveals) private view {
        _checkReveals(asked.round, reveals);
        // INVARIANT (C-101): only a submission that counts.
        if ((_rounds[asked.round].voidedBitmap >> index) & 1 != 0) {
            revert SubmissionAlreadyVoided(asked.round, index);
        }
        asked.index = index;
        for (uint256 i = 0; i < reveals.length; ++i) {
            if (reveals[i].index != index) continue;
            asked.root = reveals[i].root;
            asked.normSq = reveals[i].normSq;
            asked.owner = reveals[i].participant;
            return;
        }
        revert SubmissionNotFound(asked.round, index);
    }

    function _askPublished(
        Challenge memory asked,
        RoundHead memory head,
        Publication calldata publication
    ) private view {
        _checkPublication(asked.round, publication);
        asked.root = asked.kind == ChunkKind.Model
            ? publication.modelRoot
            : asked.kind == ChunkKind.State
                ? publication.stateRoot
                : publication.gramRoot;
        // INVARIANT (C-101): only what this federation publishes.
        if (asked.root == bytes32(0)) revert ChallengeNotAllowed(asked.round);
        if (asked.kind == ChunkKind.Gram) asked.rows = _gramRows(head);
        asked.owner = _rounds[asked.round].aggregator;
    }

    /// @dev Counts the challenge and makes room for it: in Aggregate the leader keeps a whole turn after the answer, once
    ///      a turn; whenever it was asked, there is time to act on the answer before the round is final.
    function _holdRound(Challenge memory asked, RoundHead memory head) private {
        uint32 window = _parameters.answerWindowSeconds;
        RoundDisputes storage stored = _rounds[asked.round].disputes;
        RoundDisputes memory disputes = stored;
        if (asked.kind == ChunkKind.Update) ++disputes.openUpdates;
        else ++disputes.openPublication;
        uint40 until = _now() + 2 * uint40(window);
        if (until > disputes.holdUntil) disputes.holdUntil = until;
        uint32 mark = head.phase == RoundPhase.Aggregate ? _turn(head) + 1 : disputes.extendedTurn;
        // INVARIANT (C-105): a turn is extended once, so nobody keeps the next aggregator waiting for ever.
        bool extend = mark != disputes.extendedTurn;
        disputes.extendedTurn = mark;
        _rounds[asked.round].disputes = disputes;
        if (extend) _countTurnsFrom(asked.round, head, _now() + window);
    }

    // ---- answering

    /// @inheritdoc IFederationAvailability
    function answerChallenges(Answer[] calldata answers) external {
        bytes memory firstProblem;
        uint256 accepted;
        for (uint256 i = 0; i < answers.length; ++i) {
            bytes memory problem = _answer(answers[i]);
            if (problem.length == 0) {
                ++accepted;
                continue;
            }
            if (firstProblem.length == 0) firstProblem = problem;
            emit AnswerRefused(answers[i].id, bytes4(problem));
        }
        if (accepted != 0) return;
        if (firstProblem.length == 0) revert NothingAccepted();
        // SAFETY: passes on the bytes of a custom error.
        assembly ("memory-safe") {
            revert(add(firstProblem, 32), mload(firstProblem))
        }
    }

    /// @dev Reads the challenge only: whatever became of the round, the chunk is paid for until the deadline.
    /// @return problem the custom error; empty when the answer was taken
    function _answer(Answer calldata answer) private returns (bytes memory problem) {
        Challenge memory asked = _challenges[answer.id];
        if (asked.challenger == address(0)) return abi.encodeWithSelector(ChallengeNotFound.selector, answer.id);
        // INVARIANT (C-106): a bond is paid once.
        if (asked.answered) return abi.encodeWithSelector(ChallengeAnsweredAlready.selector, answer.id);
        // INVARIANT (C-107): the deadline is the first second that is too late.
        if (block.timestamp >= asked.answerBy) {
            return abi.encodeWithSelector(AnswerTooLate.selector, answer.id, asked.answerBy);
        }
        // INVARIANT (C-108): the payee is who sends the answer, or whom the owner has named.
        if (!_namesPayee(answer, asked.owner)) return abi.encodeWithSelector(BadSignature.selector, asked.owner);
        if (!_opens(asked, answer.opening)) return abi.encodeWithSelector(ProofDoesNotOpen.selector, "opening");
        _challenges[answer.id].answered = true;
        _release(asked);
        emit ChallengeAnswered(answer.id, asked.round, answer.payee, asked.bond, answer.opening);
        _credit(answer.payee, asked.bond);
    }

    function _namesPayee(Answer calldata answer, address owner_) private view returns (bool) {
        if (answer.signature.length == 0) return answer.payee == msg.sender;
        bytes32 digest = TypedData.answerChallenge(TypedData.domainSeparator(), answer.id, answer.payee);
        return TypedData.isSignedBy(owner_, digest, answer.signature);
    }

    function _opens(Challenge memory asked, bytes calldata opening) private view returns (bool) {
        AskedChunk memory chunk = AskedChunk(asked.root, asked.normSq, asked.chunk, asked.rows);
        VectorShape memory shape = _shape();
        if (asked.kind == ChunkKind.Update) return ChunkAnswer.opensUpdate(opening, chunk, shape);
        if (asked.kind == ChunkKind.Gram) return ChunkAnswer.opensGram(opening, chunk, shape);
        return ChunkAnswer.opensModel(opening, chunk, shape, _vectors(asked.kind));
    }

    // ---- settling

    /// @inheritdoc IFederationAvailability
    function settleChallenge(bytes32 id) external {
        Challenge memory asked = _challenges[id];
        if (asked.challenger == address(0) || asked.answered) revert ChallengeNotFound(id);
        // INVARIANT (C-107): as above.
        if (block.timestamp < asked.answerBy) revert AnswerWindowOpen(id, asked.answerBy);
        _advance();
        delete _challenges[id];
        bool stands = _release(asked);
        emit ChallengeRefunded(id, asked.round, asked.challenger, asked.bond);
        _credit(asked.challenger, asked.bond);
        // INVARIANT (C-109): nobody is convicted over what is void.
        if (!stands) return;
        if (asked.kind == ChunkKind.Update) {
            _convictParticipant(asked.round, asked.index, ProofKind.Unavailable, asked.challenger);
        } else {
            _convictAggregator(asked.round, ProofKind.Unavailable, asked.challenger);
        }
    }

    /// @dev Takes a challenge off its round's count, and tells whether what it was about still stands. A round that was
    ///      opened again, or lies behind the current one, counts its own challenges only; so does a new publication.
    function _release(Challenge memory asked) private returns (bool stands) {
        if (asked.round > _state.currentRound) return false;
        RoundRecord storage record = _rounds[asked.round];
        RoundHead memory head = record.head;
        if (asked.instance != _instance(asked.kind, head)) return false;
        if (asked.kind != ChunkKind.Update) {
            // A publication that stands: voiding it has moved the turn on.
            --record.disputes.openPublication;
            return true;
        }
        --record.disputes.openUpdates;
        bool open = head.phase == RoundPhase.Aggregate || head.phase == RoundPhase.Challenge;
        return open && (record.voidedBitmap >> asked.index) & 1 == 0;
    }

    // ---- questions

    /// @inheritdoc IFederationAvailability
    function challenge(bytes32 id) external view returns (Challenge memory) {
        return _challenges[id];
    }

    /// @inheritdoc IFederationAvailability
    function challengeId(
        ChunkKind kind,
        uint64 round,
        uint16 index,
        uint32 chunk
    ) external view returns (bytes32) {
        uint64 instance = _instance(kind, _rounds[round].head);
        return _idOf(kind, round, instance, kind == ChunkKind.Update ? index : 0, chunk);
    }

    /// @inheritdoc IFederationAvailability
    function availabilityBond(ChunkKind kind, uint64 round) external view returns (uint96) {
        return _bond(kind, round);
    }

    /// @inheritdoc IFederationAvailability
    function answerGas(ChunkKind kind, uint64 round) external view returns (uint256) {
        return _answerGas(kind, round);
    }

    function _bond(ChunkKind kind, uint64 round) private view returns (uint96) {
        uint256 price = _parameters.bondGasPrice;
        if (_parameters.stakeToken == address(0) && 2 * block.basefee > price) price = 2 * block.basefee;
        return (_answerGas(kind, round) * price).toUint96();
    }

    function _answerGas(ChunkKind kind, uint64 round) private view returns (uint256) {
        VectorShape memory shape = _shape();
        uint256 size;
        uint256 work = WORK_BASE + WORK_HASH * shape.depth;
        if (kind == ChunkKind.Update) {
            size = ChunkAnswer.updateSize(shape);
            work += WORK_SQUARE * shape.chunkSize;
        } else if (kind == ChunkKind.Gram) {
            uint256 n = _gramRows(_rounds[round].head);
            size = ChunkAnswer.gramSize(shape, n);
            work += WORK_HASH * n;
        } else {
            size = ChunkAnswer.modelSize(shape, _vectors(kind));
        }
        work += WORK_BYTE * size;
        uint256 floor = FLOOR_BASE + FLOOR_BYTE * size;
        return work > floor ? work : floor;
    }

    /// @dev What a challenge is about: the round's opening; for what was published together with the turn.
    function _instance(ChunkKind kind, RoundHead memory head) private pure returns (uint64) {
        return kind == ChunkKind.Update ? head.opening : (uint64(head.opening) << 32) | head.turnBase;
    }

    function _idOf(
        ChunkKind kind,
        uint64 round,
        uint64 instance,
        uint16 index,
        uint32 chunk
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(kind, round, instance, index, chunk));
    }

    function _chunkCount(ChunkKind kind) private view returns (uint256 count) {
        VectorShape memory shape = _shape();
        count = shape.chunks;
        if (kind == ChunkKind.Gram) (count, ) = ChunkAnswer.gramShape(shape);
    }

    /// @dev Vectors in a chunk of the tree of the model, or of the server's state.
    function _vectors(ChunkKind kind) private view returns (uint256) {
        // INVARIANT (C-153): whoever answers for a state shows every vector of the chunk, and is paid for that many bytes.
        return kind == ChunkKind.State ? ServerState.vectors(_parameters.serverStep.optimizer) : 1;
    }

    /// @dev Rows of the round's Gram matrix: the valid updates, and what centred clipping remembers of the rounds before.
    function _gramRows(RoundHead memory head) private view returns (uint8) {
        // INVARIANT (C-155): what an honest aggregator is asked for, it has: a matrix of as many rows as the rule has.
        // SAFETY: at most 100 updates; revealed >= voided.
        uint8 n = head.revealed - head.voided;
        return RuleParameters.usesHistory(_parameters.rule.preAggregations) ? n + 1 : n;
    }

    function _shape() private view returns (VectorShape memory) {
        return ChunkAnswer.shape(_parameters.dimension, _parameters.chunkSize);
    }
}
