// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice For tests only: an account that is a contract. It does what its owner says, signs by its owner's key
///         (ERC-1271), and can be told to misbehave.
contract SmartWallet is IERC1271 {
    enum Mood {
        Honest,
        /// Says yes to everything, with the wrong word.
        Sloppy,
        /// Burns all gas that it is asked with.
        Burning,
        Reverting,
        /// Answers with more bytes than anybody can pay for.
        Verbose
    }

    address private immutable OWNER;
    Mood public mood;
    /// @dev Called when coin or a token comes or goes.
    address private _target;
    bytes private _call;
    bool public reentered;
    bytes public refusal;

    constructor() {
        OWNER = msg.sender;
    }

    receive() external payable {
        _react();
    }

    /// @notice TestToken calls this on who listens.
    function onTransfer(bool) external {
        _react();
    }

    function setMood(Mood mood_) external {
        mood = mood_;
    }

    /// @notice Call this, once, when coin arrives or a token comes or goes.
    function whenTouched(address target, bytes calldata call_) external {
        (_target, _call) = (target, call_);
    }

    function execute(address target, bytes calldata call_) external payable {
        (bool ok, bytes memory result) = target.call{value: msg.value}(call_);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(result, 0x20), mload(result))
        }
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        if (mood == Mood.Sloppy) return bytes4(0x00000001);
        if (mood == Mood.Reverting) revert("no");
        if (mood == Mood.Burning) while (gasleft() > 0) {}
        if (mood == Mood.Verbose) {
            assembly {
                return(0, 0xfffff)
            }
        }
        (address signer, ECDSA.RecoverError problem, ) = ECDSA.tryRecoverCalldata(hash, signature);
        bool ours = problem == ECDSA.RecoverError.NoError && signer == OWNER;
        return ours ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    function _react() private {
        address target = _target;
        if (target == address(0)) return;
        _target = address(0);
        // solhint-disable-next-line avoid-low-level-calls
        (reentered, refusal) = target.call(_call);
    }
}
