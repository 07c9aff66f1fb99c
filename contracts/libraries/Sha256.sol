// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title SHA-256 of calldata without the copies that the language would make
/// @dev The precompile at address 2: 60 gas and 12 a word (EVM yellow paper, appendix E). A call that fails (it can only
///      run out of gas) reverts: running out of gas is never a result.
library Sha256 {
    /// @notice Hash of calldata bytes.
    function ofCalldata(bytes calldata data) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, data.offset, data.length)
            if iszero(staticcall(gas(), 2, buffer, data.length, 0, 32)) { revert(0, 0) }
            hash := mload(0)
        }
    }
}
