// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {FederationStorage} from "./FederationStorage.sol";

/// @dev How coin comes in and goes out: the chain's own, or the one ERC-20 that the federation was created with. What
///      somebody has earned is credited and paid on request, so that nobody's refusal to be paid can stop anybody else.
///      A token may call its payer back: whoever collects does so before it reads any state, whoever pays does so last.
abstract contract Money is FederationStorage {
    using SafeERC20 for IERC20;

    /// @dev Takes exactly `amount` from the sender.
    function _collect(uint256 amount) internal {
        address token = _parameters.stakeToken;
        uint256 coin = token == address(0) ? amount : 0;
        // INVARIANT (C-120): what comes in is what is booked: no coin beside it, and none of the other kind.
        if (msg.value != coin) revert WrongPayment(coin, msg.value);
        if (token == address(0) || amount == 0) return;
        uint256 held = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - held;
        // INVARIANT (C-121): a token that delivers less (or more) than was sent is refused, not believed.
        if (received != amount) revert WrongPayment(amount, received);
    }

    /// @dev The same, after the sender's permit for it.
    /// @param permit empty, or abi.encode(uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) as ERC-2612
    ///        has them
    function _collect(uint256 amount, bytes calldata permit) internal {
        address token = _parameters.stakeToken;
        if (token != address(0) && permit.length != 0) _permit(token, permit);
        _collect(amount);
    }

    function _permit(address token, bytes calldata permit) private {
        (uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) = abi.decode(
            permit,
            (uint256, uint256, uint8, bytes32, bytes32)
        );
        // INVARIANT (C-122): a permit that somebody used before (anybody may) harms nobody: the allowance is what counts.
        try IERC20Permit(token).permit(msg.sender, address(this), value, deadline, v, r, s) {} catch {}
    }

    function _credit(address account, uint256 amount) internal {
        if (amount == 0) return;
        _credits[account] += amount;
        emit Credited(account, amount);
    }

    function _pay(address to, uint256 amount) internal {
        address token = _parameters.stakeToken;
        if (token == address(0)) Address.sendValue(payable(to), amount);
        else IERC20(token).safeTransfer(to, amount);
    }

    /// @dev Never fails: a token that refuses the burn address (a list of its issuer's, a pause) must not stop a round.
    ///      What it refuses stays here for good, credited to an address that nobody has.
    function _burn(uint256 amount) internal {
        if (amount == 0) return;
        _totalBurned += amount;
        emit PenaltyBurned(amount, _totalBurned);
        address token = _parameters.stakeToken;
        if (token == address(0)) Address.sendValue(payable(BURN_ADDRESS), amount);
        // INVARIANT (C-123): nobody's token can stop a round.
        else if (!IERC20(token).trySafeTransfer(BURN_ADDRESS, amount)) _credit(BURN_ADDRESS, amount);
    }
}
