// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {FederationParameters} from "../types/FederationParameters.sol";
import {Publication, RoundPhase, RoundView} from "../types/Round.sol";
import {AggregatorView, ParticipantView, Role} from "../types/Actors.sol";

/// @title One federation: a joint training effort as a chain of rounds
/// @notice Open -> Commit -> Reveal -> Aggregate -> Challenge -> Final, or Abandoned. The next round opens as soon as a round
///         is published (optimistic); finality follows in order. A voided publication returns its round to Aggregate and
///         takes the rounds built on it with it.
///
///         Windows are deadlines, not delays: a phase closes at once when everybody who is expected has acted. A deadline is
///         the first second that is too late. Every call first does the transitions whose deadline has passed; views show them
///         as done.
///
///         Assumptions for SAFETY: SHA-256 and Keccak-256 are collision resistant; the chain does not reorganise deeper than
///         the challenge window; a block's proposer does not also close the commits of a round whose rule uses the seed.
///         Assumptions for LIVENESS: at least `minUpdates` participants keep committing and revealing; at least one staked
///         aggregator publishes in one of its turns (in a closed federation the owner can add one).
interface IFederation {
    // ------------------------------------------------------------------------------------------------ events

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
    event RevealPhaseOpened(uint64 indexed round, uint16 committed, uint64 deadline);
    /// @notice The round's seed will come from the hash of this block.
    event SeedAnchored(uint64 indexed round, uint64 blockNumber);
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

    // ------------------------------------------------------------------------------------------------ errors

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
    /// @param firstRevealedBy who revealed this root before
    error RootAlreadyRevealed(bytes32 root, uint64 round, address firstRevealedBy);
    error InvalidCid(bytes cid);
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

    // ------------------------------------------------------------------------------------------------ creation

    /// @notice Called once by the factory, in the transaction that makes the clone.
    function initialize(FederationParameters calldata parameters_, address owner_, address[] calldata members) external;

    // ------------------------------------------------------------------------------------------------ membership

    /// @notice Owner: puts accounts on the allow-list (for either role). Refuses one that is on it already.
    function addMembers(address[] calldata accounts) external;

    /// @notice Owner: takes accounts off the allow-list. Whoever is registered leaves as if it had asked to exit, but never in
    ///         the middle of a round it is expected in: the owner cannot choose who counts.
    function removeMembers(address[] calldata accounts) external;

    /// @notice Registers the sender as participant with `msg.value` at stake (at least `participantStake`).
    ///         It is expected from the next list on: in the round that is open if no commit has arrived yet, else in the next.
    function registerParticipant(string calldata gateway) external payable;

    /// @notice Registers the sender as aggregator with `msg.value` at stake (at least `aggregatorStake`). It joins the rotation
    ///         from the next round on, or at once when nobody else stands in it.
    function registerAggregator(string calldata gateway) external payable;

    /// @notice Announces where the sender's payloads are fetched from now on.
    function setGateway(string calldata gateway) external;

    /// @notice Adds to the sender's stake in a role. A participant below `participantStake` becomes active again when it reaches it.
    function topUp(Role role) external payable;

    // ------------------------------------------------------------------------------------------------ a round

    /// @notice Seals the sender's update: `commitHash = keccak256(abi.encode(chainId, federation, round, baseModelRoot,
    ///         participant, root, normSq, keccak256(cid), salt))`.
    /// @dev Reverts with WrongPhase, NotExpected, AlreadyCommitted, StakeTooLow, EmptyCommitHash.
    function commitUpdate(uint64 round, bytes32 commitHash) external;

    /// @notice Opens the sender's sealed update. The payload must be retrievable under `cid` before this call.
    /// @param root root of the update's Merkle-sum tree
    /// @param normSq its squared L2 norm, the tree's sum
    /// @param cid 36-byte binary CIDv1 of the payload
    function revealUpdate(uint64 round, bytes32 root, uint64 normSq, bytes calldata cid, bytes32 salt) external;

    /// @notice Publishes the round's model. Only the leader of the present turn; opens the next round.
    function publishRound(uint64 round, Publication calldata publication) external;

    /// @notice Makes a round final after its challenge window. Anyone, in order of rounds; abandoned rounds are passed over.
    function finalizeRound(uint64 round) external;

    /// @notice Does the transitions whose deadline has passed, charges missed turns, fixes the seed. Anyone, any time;
    ///         `round` must be the current round.
    function advance(uint64 round) external;

    // ------------------------------------------------------------------------------------------------ stakes

    /// @notice Charges a participant that committed and did not reveal. Anyone. (Its next commit, top-up or exit does the same.)
    function settleMissedReveal(address participant) external;

    /// @notice Asks to leave a role. A participant is not expected any more (a commit that is not yet due for reveal is taken
    ///         back); an aggregator serves the current round to its end.
    function requestExit(Role role) external;

    /// @notice Pays the sender's stake out, when the last round it answers for is final and the delay is over.
    function withdraw(Role role) external;

    // ------------------------------------------------------------------------------------------------ views

    function parameters() external view returns (FederationParameters memory);
    function isMember(address account) external view returns (bool);
    function participant(address account) external view returns (ParticipantView memory);
    function participantAt(uint16 index) external view returns (ParticipantView memory);
    /// @notice One more than the greatest index ever given; an index in between may be free (account zero).
    function participantCount() external view returns (uint16);
    /// @notice Participants that are expected in a round that opens now.
    function activeParticipantCount() external view returns (uint16);
    /// @notice All registered aggregators in order of registration.
    function aggregators() external view returns (AggregatorView[] memory);
    function aggregator(address account) external view returns (AggregatorView memory);
    /// @notice The round that takes commits, reveals or a publication now; 0 before round 1, the last one after all are published.
    function currentRound() external view returns (uint64);
    /// @notice Every round up to this one is final (or abandoned for good).
    function lastFinalRound() external view returns (uint64);
    function currentPhase(uint64 round) external view returns (RoundPhase);
    function round(uint64 number) external view returns (RoundView memory);
    /// @notice Who may publish the round now; zero when nobody may.
    function leader(uint64 round) external view returns (address);
    /// @notice Whether the account's latest commit belongs to the round's present opening.
    function hasCommitted(uint64 round, address account) external view returns (bool);
    /// @notice Whether that commit was revealed.
    function hasRevealed(uint64 round, address account) external view returns (bool);
    /// @notice The account's latest commit hash, whatever round it was for.
    function commitHashOf(address account) external view returns (bytes32);
    /// @notice Wei burned as penalties since creation.
    function totalBurned() external view returns (uint256);
}
