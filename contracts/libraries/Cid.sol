// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Content identifiers as the chain stores them
/// @notice 36 bytes: 0x01 (CIDv1) | 0x55 raw or 0x70 dag-pb | 0x12 (sha2-256) | 0x20 (32) | digest. Nothing else is
///         accepted, so two equal contents never have two names. Source: https://github.com/multiformats/cid
library Cid {
    error InvalidCid(bytes cid);

    uint256 internal constant LENGTH = 36;

    /// @dev Reverts with InvalidCid.
    function check(bytes calldata cid) internal pure {
        if (!isCanonical(cid)) revert InvalidCid(cid);
    }

    function isCanonical(bytes calldata cid) internal pure returns (bool) {
        // INVARIANT (C-25): a CID is a canonical sha2-256 CIDv1 of codec raw or dag-pb.
        bytes4 prefix = cid.length == LENGTH ? bytes4(cid) : bytes4(0);
        return prefix == 0x01551220 || prefix == 0x01701220;
    }
}
