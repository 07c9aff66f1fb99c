// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ChunkKind, ProofKind} from "../types/Disputes.sol";
import {RoundPhase} from "../types/Round.sol";
import {Role} from "../types/Actors.sol";

/// @title Every state change of a federation, and every reason to refuse one
interface IFederationEvents {
    event MemberAdded(address indexed account);
    event MemberRemoved(address indexed account);
    /// @param gateway base URL under which peers fetch this node's payloads
    event ParticipantRegistered(address indexed participant, uint16 index, uint96 stake, string gateway);
    event AggregatorRegistered(address indexed aggregator, uint96 stake, uint32 activeFromRound, string gateway);
    event GatewayChanged(address indexed account, string gateway);
    /// @param stake wei at stake after the payment
    event StakeAdded(address indexed account, Role role, uint256 amount, uint96 stake);

    /// @param opening number of this opening; a round opened again gets a greater one
    event RoundOpened(uint64 indexed round, uint32 opening, bytes32 baseModelRoot, uint16 expected);
    /// @notice The first commit arrived: the clock runs and the list of expected participants is fixed.
    event CommitPhaseOpened(uint64 indexed round, uint16 expected, uint64 deadline);
    event UpdateCommitted(uint64 indexed round, address indexed participant, bytes32 commitHash);
    /// @notice A participant that asked to exit took its unrevealed commit back.
    event CommitRetracted(uint64 indexed round, address indexed participant);
    /// @notice Too few commits at the deadline: there is another window, and everybody active now is expected.
    event CommitWindowExtended(uint64 indexed round, uint16 expected, uint64 deadline);
    /// @notice Commits are closed. The round's seed will come from the hash of the block that carries this event.
    event RevealPhaseOpened(uint64 indexed round, uint16 committed, uint64 deadline);
    /// @notice Nobody acted for so long that the chain forgot the hash of the block in which commits were closed: the
    ///         seed will come from the hash of this block instead.
    event SeedReanchored(uint64 indexed round, uint64 blockNumber);
    event SeedFixed(uint64 indexed round, bytes32 seed);
    event UpdateRevealed(
        uint64 indexed round,
        address indexed participant,
        uint16 index,
        bytes32 root,
        uint64 normSq,
        bytes cid
    );
    event AggregatePhaseOpened(uint64 indexed round, uint32 turn, address leader, uint64 deadline);
    event TurnMissed(uint64 indexed round, uint32 turn, address indexed aggregator, uint96 penalty);
    event RoundPublished(
        uint64 indexed round,
        address indexed aggregator,
        bytes32 modelRoot,
        bytes32 stateRoot,
        bytes32 gramRoot,
        bytes32 mixingHash,
        bytes32 submissionSet,
        bytes modelCid,
        bytes evidenceCid
    );
    /// @notice Too few valid updates: the model stays as it was and the next round opens.
    event RoundAbandoned(uint64 indexed round, uint16 validUpdates, uint16 minUpdates);
    /// @notice A publication was voided: `round` is back in Aggregate, all rounds after it up to `lastRound` are void.
    event RoundVoided(uint64 indexed round, address indexed aggregator, uint64 lastRound);
    event SubmissionVoided(uint64 indexed round, address indexed participant, uint16 index);
    /// @notice The round and everything before it can not change any more.
    event RoundFinalized(uint64 indexed round, bytes32 modelRoot);

    event RevealMissed(uint64 indexed round, address indexed participant, uint96 penalty, uint96 stake);
    event PenaltyBurned(uint256 amount, uint256 totalBurned);
    event ExitRequested(address indexed account, Role role, uint64 withdrawableFrom);
    event Withdrawn(address indexed account, Role role, uint256 amount);

    /// @notice A fraud was proven, or a challenge was not answered: the whole stake of the role is gone. Of a copied
    ///         update only the penalty of a missed reveal, all of it burned.
    /// @param challenger who proved it; `reward` of the stake is credited to it, `burned` of it is burned
    event Slashed(
        uint64 indexed round,
        address indexed account,
        Role role,
        ProofKind proof,
        uint96 amount,
        uint96 burned,
        address indexed challenger,
        uint96 reward
    );
    /// @notice A fraud proof showed that the number was right: the bond goes to the accused.
    event AccusationRejected(
        uint64 indexed round,
        address indexed challenger,
        address indexed accused,
        ProofKind proof,
        uint96 bond
    );
    event ChallengeOpened(
        bytes32 indexed id,
        uint64 indexed round,
        ChunkKind kind,
        uint16 index,
        uint32 chunk,
        address challenger,
        address indexed owner,
        uint96 bond,
        uint64 answerBy
    );
    /// @param opening the chunk and its path, for everybody who waits for it
    event ChallengeAnswered(
        bytes32 indexed id,
        uint64 indexed round,
        address indexed payee,
        uint96 paid,
        bytes opening
    );
    event AnswerRefused(bytes32 indexed id, bytes4 reason);
    event ChallengeRefunded(bytes32 indexed id, uint64 indexed round, address indexed challenger, uint96 bond);
    /// @param reason selector of the error with which the message alone would have been refused
    event RelayRefused(uint64 indexed round, address indexed participant, bytes4 reason);
    event Credited(address indexed account, uint256 amount);
    event CreditWithdrawn(address indexed account, uint256 amount);
    event RewardsFunded(address indexed from, uint256 amount, uint256 pool);
    event RewardReserved(uint64 indexed round, uint96 amount);
    event RewardsDistributed(uint64 indexed round, uint96 toAggregator, uint96 toParticipants);
    event RewardsReclaimed(address indexed to, uint256 amount);

    error NotAMember(address account);
    error AlreadyAMember(address account);
    error AlreadyRegistered(address account, Role role);
    error NotRegistered(address account, Role role);
    error TooManyParticipants(uint16 maxParticipants);
    error TooManyAggregators(uint16 maxAggregators);
    error GatewayTooLong(uint256 length, uint256 maxLength);
    error StakeTooLow(uint256 stake, uint256 required);
    error ZeroAmount();
    error ExitAlreadyRequested(address account, Role role);
    error ExitNotRequested(address account, Role role);

    /// @param phase the round's phase as of now
    error WrongPhase(uint64 round, RoundPhase phase, RoundPhase required);
    error NotExpected(uint64 round, address participant);
    error AlreadyCommitted(uint64 round, address participant);
    error NotCommitted(uint64 round, address participant);
    error AlreadyRevealed(uint64 round, address participant);
    error EmptyCommitHash();
    error CommitHashMismatch(bytes32 expected, bytes32 received);
    error ZeroRoot();
    error NormAboveBound(uint64 normSq, uint64 normSqBound);
    error NotTheLeader(uint64 round, uint32 turn, address leader, address sender);
    /// @notice Call `advance` (in a later block than `anchorBlock`) and try again.
    error SeedNotFixed(uint64 round, uint64 anchorBlock);
    error OutOfOrder(uint64 round, uint64 nextToFinalize);
    error ChallengeWindowOpen(uint64 round, uint64 until);
    error NothingToSettle(address participant);
    /// @notice The stake answers for `round`, which is not final.
    error StakeAtRisk(address account, uint64 round, uint64 lastFinalRound);
    error WithdrawalTooEarly(uint64 availableAt);
    error SubmissionNotFound(uint64 round, uint16 index);
    error SubmissionAlreadyVoided(uint64 round, uint16 index);
    error NoCode(address account);
    /// @param expected keccak256(abi.encode(accumulator, voidedBitmap)) as of now
    error WrongSubmissionSet(bytes32 expected, bytes32 received);
    /// @notice A root is zero exactly when the federation's rule and server step have nothing to commit to.
    error UnexpectedRoot(string name, bytes32 root);
    error WrongBond(uint256 expected, uint256 received);
    error WrongReveals(bytes32 accumulator, bytes32 received);
    error WrongPublication(bytes32 publicationHash, bytes32 received);
    /// @notice The proof does not show what it says it shows.
    /// @param what the part that does not open
    error ProofDoesNotOpen(string what);
    error NotACopy();
    /// @notice The federation's rule is for auditors to check (`enforced` is false): nobody is convicted by it.
    error NotEnforced();
    error ChallengeNotAllowed(uint64 round);
    error ChallengeExists(bytes32 id);
    error ChallengeNotFound(bytes32 id);
    error ChallengeAnsweredAlready(bytes32 id);
    error AnswerTooLate(bytes32 id, uint64 answerBy);
    error NothingAccepted();
    error AnswerWindowOpen(bytes32 id, uint64 until);
    error ChallengesOpen(uint64 round, uint16 count);
    error BadSignature(address signer);
    error NothingToWithdraw(address account);
    error NothingToDistribute(uint64 round);
    error WrongPayment(uint256 expected, uint256 received);
    error RewardsStillNeeded(uint64 lastFinalRound, uint64 totalRounds);
}
