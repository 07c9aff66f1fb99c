// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {FederationStorage} from "./FederationStorage.sol";

/// @dev How coin comes in and goes out. What somebody has earned is credited and paid on request, so that nobody's
///      refusal to be paid can stop anybody else.
abstract contract Money is FederationStorage {
    /// @dev Takes exactly `amount` from the sender.
    function _collect(uint256 amount) internal {
        if (msg.value != amount) revert WrongPayment(amount, msg.value);
    }

    function _credit(address account, uint256 amount) internal {
        if (amount == 0) return;
        _credits[account] += amount;
        emit Credited(account, amount);
    }

    function _pay(address to, uint256 amount) internal {
        Address.sendValue(payable(to), amount);
    }

    function _burn(uint256 amount) internal {
        if (amount == 0) return;
        _totalBurned += amount;
        emit PenaltyBurned(amount, _totalBurned);
        _pay(BURN_ADDRESS, amount);
    }
}
