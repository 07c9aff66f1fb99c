// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {CoordinateProof, RevealedUpdate} from "../../../contracts/types/Disputes.sol";
import {Publication, RoundPhase, RoundView} from "../../../contracts/types/Round.sol";
import {JusticeLedger} from "./JusticeLedger.sol";
import {TinyFederation} from "./TinyFederation.sol";
import {TinyRules} from "./TinyRules.sol";
import {TinyTrees} from "./TinyTrees.sol";

/// @notice For tests only: what everybody knows off the chain: the updates, who lied about what, the models that were published.
abstract contract JusticeWorld is JusticeLedger {
    /// What an aggregator lies about.
    enum Lying {
        Nothing,
        Coordinate,
        State,
        Gram,
        Mixing
    }

    struct Sealed {
        uint256 seed;
        TinyTrees.Lie lie;
        bytes32 salt;
    }

    struct Submission {
        address account;
        uint16 index;
        uint256 seed;
        TinyTrees.Lie lie;
        bytes32 root;
        uint64 normSq;
        bytes32 cidHash;
    }

    struct Published {
        Publication publication;
        Lying lying;
        uint256 where;
    }

    /// Everything that follows from a round's updates, with one lie in it or none.
    struct Computed {
        uint256[] seeds;
        int256[][] gram;
        int256[][] mixing;
        bytes model;
        bytes state;
    }

    mapping(address => mapping(uint32 opening => Sealed)) internal _sealed;
    mapping(uint32 opening => Submission[]) internal _submissions;
    mapping(bytes32 publicationHash => Published) internal _published;
    mapping(bytes32 root => bytes) internal _models;
    mapping(bytes32 publicationHash => bytes) internal _gramOf;
    uint256 internal _nonce;

    constructor() {
        bytes memory genesis = TinyTrees.emptyModel();
        _models[TinyTrees.modelRoot(genesis)] = genesis;
    }

    // ---- submissions

    function _tree(Submission memory update) internal pure returns (TinyTrees.SumTree memory) {
        return TinyTrees.sumTree(update.seed, update.lie);
    }

    function _reveals(uint32 opening) internal view returns (RevealedUpdate[] memory list) {
        Submission[] storage all = _submissions[opening];
        list = new RevealedUpdate[](all.length);
        for (uint256 i = 0; i < list.length; ++i) {
            Submission memory one = all[i];
            list[i] = RevealedUpdate(one.index, one.account, one.root, one.normSq, one.cidHash);
        }
    }

    function _isVoid(RoundView memory seen, uint16 index) internal pure returns (bool) {
        return (seen.voidedBitmap >> index) & 1 == 1;
    }

    /// @dev The valid submissions by index.
    function _rows(RoundView memory seen) internal view returns (Submission[] memory rows) {
        Submission[] storage all = _submissions[seen.opening];
        rows = new Submission[](all.length);
        uint256 count;
        for (uint16 index = 0; index < 6; ++index) {
            for (uint256 i = 0; i < all.length; ++i) {
                if (all[i].index == index && !_isVoid(seen, index)) rows[count++] = all[i];
            }
        }
        assembly ("memory-safe") {
            mstore(rows, count)
        }
    }

    // ---- publications

    /// @dev The last publication before a round that is not abandoned; a publication without roots when there is none.
    function _previous(uint64 number) internal view returns (Publication memory none) {
        for (uint64 r = number - 1; r > 0; --r) {
            RoundView memory seen = federation.round(r);
            if (seen.phase != RoundPhase.Abandoned) return _published[seen.publicationHash].publication;
        }
    }

    function _compute(
        RoundView memory seen,
        Lying lying,
        uint256 where
    ) internal view returns (Computed memory computed) {
        Submission[] memory rows = _rows(seen);
        computed.seeds = new uint256[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) computed.seeds[i] = rows[i].seed;
        bytes memory velocity;
        if (mixed) {
            computed.gram = TinyRules.gram(computed.seeds);
            if (lying == Lying.Gram) computed.gram[0][1] += 1;
            computed.mixing = TinyRules.nearest(computed.gram);
            if (lying == Lying.Mixing) computed.mixing[0][where % rows.length] ^= 1;
            bytes32 root = _previous(seen.number).stateRoot;
            velocity = root == 0 ? TinyTrees.emptyModel() : _models[root];
        }
        (computed.model, computed.state) = TinyRules.step(
            computed.seeds,
            computed.mixing,
            _models[seen.baseModelRoot],
            velocity
        );
        uint256 c = where % TinyTrees.DIMENSION;
        if (lying == Lying.Coordinate) _change(computed.model, c);
        if (lying == Lying.State) _change(computed.state, c);
    }

    function _change(bytes memory model, uint256 c) private pure {
        TinyTrees.setModelAt(model, c, TinyTrees.modelAt(model, c) ^ 1);
    }

    /// @dev What a leader publishes, and remembers.
    function _preparePublication(
        RoundView memory seen,
        Lying lying,
        uint256 where
    ) internal returns (Publication memory publication) {
        Computed memory computed = _compute(seen, lying, where);
        publication.modelRoot = TinyTrees.modelRoot(computed.model);
        _models[publication.modelRoot] = computed.model;
        if (mixed) {
            publication.stateRoot = TinyTrees.modelRoot(computed.state);
            _models[publication.stateRoot] = computed.state;
            publication.gramRoot = TinyRules.gramRoot(computed.gram);
            publication.mixingHash = sha256(TinyRules.mixingPreimage(computed.mixing));
        }
        publication.submissionSet = keccak256(abi.encode(seen.accumulator, seen.voidedBitmap));
        publication.modelCid = TinyFederation.cid(++_nonce);
        publication.evidenceCid = TinyFederation.cid(_nonce);
        bytes32 hash = keccak256(abi.encode(publication));
        _published[hash] = Published(publication, lying, where);
        if (mixed) _gramOf[hash] = TinyRules.gramTriangle(computed.gram);
    }

    /// @dev The proof about one coordinate of a publication, true or false: of its model, or of its server state.
    function _coordinateProof(
        RoundView memory seen,
        uint256 c,
        bool ofState
    ) internal view returns (CoordinateProof memory proof) {
        Published memory published = _published[seen.publicationHash];
        Computed memory computed = _compute(seen, published.lying, published.where);
        uint256 chunk = c / TinyTrees.K;
        proof.round = seen.number;
        proof.chunk = uint32(chunk);
        proof.coordinate = uint32(c % TinyTrees.K);
        proof.publication = published.publication;
        if (ofState || !mixed) {
            proof.reveals = _reveals(seen.opening);
            proof.rows = _openRows(seen, chunk);
        }
        if (ofState) {
            proof.previous = _previous(seen.number);
            if (proof.previous.stateRoot != 0) {
                proof.oldState = TinyTrees.modelOpening(_models[proof.previous.stateRoot], chunk);
            }
            proof.mixing = TinyRules.mixingPreimage(computed.mixing);
        } else {
            proof.oldModel = TinyTrees.modelOpening(_models[seen.baseModelRoot], chunk);
            proof.newModel = TinyTrees.modelOpening(computed.model, chunk);
        }
        if (mixed) proof.newState = TinyTrees.modelOpening(computed.state, chunk);
    }

    function _openRows(RoundView memory seen, uint256 chunk) private view returns (bytes memory openings) {
        Submission[] memory rows = _rows(seen);
        for (uint256 i = 0; i < rows.length; ++i) {
            TinyTrees.SumTree memory tree = _tree(rows[i]);
            bytes memory opening = TinyTrees.updateOpening(tree, rows[i].seed, chunk);
            openings = abi.encodePacked(openings, tree.leafSum[chunk], opening);
        }
    }
}
