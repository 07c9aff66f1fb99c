// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title Messages that people sign and others submit (EIP-712, ERC-1271)
/// @dev A message binds chain, federation, round and opening (or challenge), so it can be used nowhere else; what it
///      does can be done once, so it needs no nonce. The TypeScript twin is chain/typedData.ts.
///      Sources: https://eips.ethereum.org/EIPS/eip-712, https://eips.ethereum.org/EIPS/eip-1271
library TypedData {
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant COMMIT_UPDATE_TYPE =
        keccak256("CommitUpdate(uint64 round,uint32 opening,bytes32 commitHash)");
    bytes32 private constant REVEAL_UPDATE_TYPE =
        keccak256(
            "RevealUpdate(uint64 round,uint32 opening,bytes32 root,uint64 normSq,bytes32 cidHash,bytes32 salt)"
        );
    bytes32 private constant ANSWER_CHALLENGE_TYPE = keccak256("AnswerChallenge(bytes32 id,address payee)");

    /// @dev What a contract may spend on one signature. A wallet that burns all it gets must not sink a batch.
    uint256 internal constant ERC1271_GAS = 300_000;

    /// @notice The domain {name: "Assay", version: "1", chainId, verifyingContract: this federation}.
    /// @dev Computed when asked: a clone has no immutables of its own.
    function domainSeparator() internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPE, keccak256("Assay"), keccak256("1"), block.chainid, address(this)));
    }

    /// @return what is signed
    function commitUpdate(
        bytes32 domain,
        uint64 round,
        uint32 opening,
        bytes32 commitHash
    ) internal pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(COMMIT_UPDATE_TYPE, round, opening, commitHash)));
    }

    /// @return what is signed
    function revealUpdate(
        bytes32 domain,
        uint64 round,
        uint32 opening,
        bytes32 root,
        uint64 normSq,
        bytes32 cidHash,
        bytes32 salt
    ) internal pure returns (bytes32) {
        return
            MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(REVEAL_UPDATE_TYPE, round, opening, root, normSq, cidHash, salt)));
    }

    /// @return what is signed
    function answerChallenge(bytes32 domain, bytes32 id, address payee) internal pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(ANSWER_CHALLENGE_TYPE, id, payee)));
    }

    /// @notice Whether `account` signed: by its key (65 bytes, s in the lower half), or as a contract by its own rules.
    /// @dev Never reverts. The contract is asked by a static call, with bounded gas, and only one word of its answer is
    ///      read. The key goes first: an account with code (EIP-7702) may still sign with it.
    function isSignedBy(address account, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        (address signer, ECDSA.RecoverError problem, ) = ECDSA.tryRecoverCalldata(digest, signature);
        if (problem == ECDSA.RecoverError.NoError && signer == account) return true;
        if (account.code.length == 0) return false;
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        bool answered;
        bytes32 answer;
        // SAFETY: reads `question` and writes scratch space only.
        assembly ("memory-safe") {
            answered := staticcall(ERC1271_GAS, account, add(question, 0x20), mload(question), 0, 0x20)
            answered := and(answered, gt(returndatasize(), 0x1f))
            answer := mload(0)
        }
        return answered && answer == bytes32(IERC1271.isValidSignature.selector);
    }
}
