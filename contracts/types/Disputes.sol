// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {SumSibling} from "../libraries/MerkleSum.sol";
import {Publication} from "./Round.sol";

/// @notice What somebody was convicted of, or accused of in vain.
enum ProofKind {
    BadSum,
    BadVacancy,
    BadCoordinate,
    BadGramLeaf,
    BadGramNode,
    BadMixing,
    CopiedUpdate,
    Unavailable
}

/// @notice One reveal of a round, as the accumulator binds it. Lists are in the order of reveals and complete.
struct RevealedUpdate {
    uint16 index;
    address participant;
    bytes32 root;
    uint64 normSq;
    bytes32 cidHash;
}

/// @notice A node of an update's Merkle-sum tree.
/// @param level 0 for leaves
/// @param position index among the nodes of its level
/// @param claimedSum the sum that its parent (at the root: the commitment) claims for it
/// @param preimage what the node's hash is the SHA-256 of; empty for a node beyond the last chunk that nobody can open
/// @param hash the node's hash, when there is no preimage
/// @param path depth - level siblings, from the node's level up
struct SumOpening {
    uint8 level;
    uint32 position;
    uint64 claimedSum;
    bytes preimage;
    bytes32 hash;
    SumSibling[] path;
}

/// @notice The trees that an aggregator publishes.
enum PublishedTree {
    Model,
    State,
    Gram
}

/// @notice One coordinate, opened in what was published and in what that is computed from. A server step with state has
///         two answers a coordinate: the state, from the updates and the state before; then the model, from the state
///         that was published and the model before. Each proof is about one of them, and has nothing else in it.
/// @param round the accused publication's round
/// @param chunk index of the chunk
/// @param coordinate index within the chunk, below K
/// @param publication what was published
/// @param previous state: the publication that the server state comes from (the last one before the round); else, or
///        when there is none, not read
/// @param reveals the round's reveals; empty about the model of a step with state
/// @param rows the valid updates by index, one after the other, each u64 sum | 2K bytes | depth * (hash 32 | sum 8);
///        empty about the model of a step with state
/// @param oldModel 4K bytes | depth * 32, under the base model's root; empty about the state
/// @param newModel the same, under the published root; empty about the state
/// @param oldState 4K bytes of each of the state's vectors | depth * 32, under the previous state's root; empty about the
///        model, and when there is none
/// @param newState the same, under the published state's root; empty for a step without
/// @param mixing preimage of the published mixing hash; empty for a rule without, and when there are no rows
struct CoordinateProof {
    uint64 round;
    uint32 chunk;
    uint32 coordinate;
    Publication publication;
    Publication previous;
    RevealedUpdate[] reveals;
    bytes rows;
    bytes oldModel;
    bytes newModel;
    bytes oldState;
    bytes newState;
    bytes mixing;
}

/// @notice One partial inner product, opened in the Gram tree and in the two updates.
/// @param span index of the Gram tree's leaf
/// @param first, second positions of the two rows among the valid ones, first <= second
/// @param matrix preimage of the leaf's matrix hash: 0x12 | n row hashes
/// @param row preimage of row `first` of it: 0x13 | i64 ...
/// @param path from the leaf up, for each level: sibling's hash 32 | sibling's matrix 32 | the own node's matrix as its
///        parent claims it 32
/// @param firstChunks, secondChunks for each update: count * (u64 sum | 2K bytes) | siblings of the range's subtree *
///        (hash 32 | sum 8)
struct GramLeafProof {
    uint64 round;
    uint32 span;
    uint16 first;
    uint16 second;
    Publication publication;
    RevealedUpdate[] reveals;
    bytes matrix;
    bytes row;
    bytes path;
    bytes firstChunks;
    bytes secondChunks;
}

/// @notice A node of the Gram tree whose matrix is not the sum of its children's.
/// @param level above 0 and below the root's
/// @param children left's hash 32 | right's hash 32 | left's matrix | right's matrix (upper triangles, i64 big-endian)
/// @param path from the node up, as in GramLeafProof
struct GramNodeProof {
    uint64 round;
    uint8 level;
    uint32 position;
    Publication publication;
    RevealedUpdate[] reveals;
    bytes children;
    bytes path;
}

/// @notice The right mixing matrix, for the Gram matrix that was published.
/// @param root of a tree with one leaf: the leaf's matrix; else the root's children as in GramNodeProof
/// @param mixing preimage of the RIGHT mixing matrix's hash
/// @param nearest for the Krum family, for each row: bitmap (by position) of its n - f - 2 nearest others; else empty
struct MixingProof {
    uint64 round;
    Publication publication;
    RevealedUpdate[] reveals;
    bytes root;
    bytes mixing;
    uint256[] nearest;
}

/// @notice What an availability challenge may ask for. For Gram the `chunk` is a leaf of the Gram tree.
enum ChunkKind {
    Update,
    Model,
    State,
    Gram
}

/// @notice An availability challenge.
/// @param challenger zero when there is none
/// @param owner who owes the answer: the participant, or the aggregator that published
/// @param answered true when the answer is on the chain
/// @param answerBy unix seconds, the first moment that is too late
/// @param root what the answer must open
/// @param normSq for an update: what its sums must add up to
/// @param rows rows of the Gram matrix, for Gram
/// @param instance what the challenge is about: the round's opening, for publications together with the turn
struct Challenge {
    address challenger;
    uint96 bond;
    bytes32 root;
    uint64 normSq;
    uint64 round;
    uint64 instance;
    uint40 answerBy;
    uint8 rows;
    bool answered;
    ChunkKind kind;
    uint16 index;
    uint32 chunk;
    address owner;
}

/// @notice An answer to a challenge.
/// @param opening the chunk and its path, packed (docs/spec/disputes.md)
/// @param payee who is paid; without a signature the sender
/// @param signature the owner's, over AnswerChallenge(bytes32 id,address payee); or empty
struct Answer {
    bytes32 id;
    address payee;
    bytes opening;
    bytes signature;
}

struct SignedCommit {
    address participant;
    bytes32 commitHash;
    bytes signature;
}

struct SignedReveal {
    address participant;
    bytes32 root;
    uint64 normSq;
    bytes cid;
    bytes32 salt;
    bytes signature;
}
