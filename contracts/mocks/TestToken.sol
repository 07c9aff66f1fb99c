// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @dev Who asked to hear of its transfers, as with ERC-777.
interface IHeard {
    function onTransfer(bool outgoing) external;
}

/// @notice For tests only: an ERC-20 with permit that can be told to be each of the tokens that have broken contracts
///         before: one that keeps a fee, one that calls the parties back, one that refuses an address, one that returns
///         false.
contract TestToken is ERC20Permit {
    uint256 public feeBps;
    bool public returnsFalse;
    mapping(address account => bool) public refused;
    mapping(address account => bool) public listens;

    error Refused(address account);

    constructor() ERC20("Test token", "TEST") ERC20Permit("Test token") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setFee(uint256 bps) external {
        feeBps = bps;
    }

    function setReturnsFalse(bool on) external {
        returnsFalse = on;
    }

    function setRefused(address account, bool on) external {
        refused[account] = on;
    }

    function listen() external {
        listens[msg.sender] = true;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (returnsFalse) return false;
        return super.transfer(to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (returnsFalse) return false;
        return super.transferFrom(from, to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (refused[to]) revert Refused(to);
        if (listens[from]) IHeard(from).onTransfer(true);
        uint256 fee = from == address(0) ? 0 : (amount * feeBps) / 10_000;
        super._update(from, to, amount - fee);
        if (fee != 0) super._update(from, address(0), fee);
        if (listens[to]) IHeard(to).onTransfer(false);
    }
}
