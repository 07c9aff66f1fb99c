// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @dev Nine static words: abi.encode of the struct is abi.encode of its fields.
struct SealedUpdate {
    uint256 chainId;
    address federation;
    uint64 round;
    bytes32 baseModelRoot;
    address participant;
    bytes32 root;
    uint64 normSq;
    bytes32 cidHash;
    bytes32 salt;
}

/// @title What a participant seals before it reveals, and how the contract remembers all reveals in one slot
/// @dev The TypeScript twins are protocol/commitment/commitHash.ts and protocol/round/submission.ts.
library CommitHash {
    /// @notice Binds chain, contract, round, base model and sender: a seal can be neither squatted, nor copied, nor
    ///         replayed.
    /// @dev keccak256(abi.encode(update)), without a copy.
    function seal(SealedUpdate memory update) internal pure returns (bytes32 sealed_) {
        // SAFETY: nine static members are nine words in memory, each as abi.encode would write it; vectors hold it.
        assembly ("memory-safe") {
            sealed_ := keccak256(update, 0x120)
        }
    }

    /// @notice The running hash of a round's reveals, in their order.
    function accumulate(
        bytes32 accumulator,
        uint16 index,
        address participant,
        bytes32 root,
        uint64 normSq,
        bytes32 cidHash
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(accumulator, index, participant, root, normSq, cidHash));
    }
}
