// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {SignedCommit, SignedReveal} from "../types/Disputes.sol";

/// @title Signed messages that anybody may submit, so that a participant needs no gas
/// @notice EIP-712, domain {name: "Assay", version: "1", chainId, verifyingContract: the federation}; contracts sign by
///         ERC-1271. A message that cannot be taken (any more) is skipped with RelayRefused, so nobody can sink a batch;
///         when none was taken the call reverts with what was wrong with the first (an empty batch: NothingAccepted).
///
///             CommitUpdate(uint64 round,uint32 opening,bytes32 commitHash)
///             RevealUpdate(uint64 round,uint32 opening,bytes32 root,uint64 normSq,bytes32 cidHash,bytes32 salt)
interface IFederationRelay {
    function commitUpdates(uint64 round, SignedCommit[] calldata commits) external;

    function revealUpdates(uint64 round, SignedReveal[] calldata reveals) external;
}
