// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {FederationParameters} from "../types/FederationParameters.sol";

/// @title Makes federations: one minimal clone each, all sharing one implementation
interface IFederationFactory {
    event FederationCreated(address indexed federation, address indexed creator, bytes manifestCid);

    error NoCode(address account);

    /// @notice Creates a federation that the sender owns. Impossible parameters are refused here, not when a round
    ///         fails.
    /// @param parameters fixed for ever
    /// @param members first members of the allow-list; may be empty
    /// @return federation the clone's address
    function createFederation(
        FederationParameters calldata parameters,
        address[] calldata members
    ) external returns (address federation);

    /// @notice The contract whose code every clone runs.
    function implementation() external view returns (address);
    /// @notice Whether this factory made the contract, so that its parameters were validated.
    function isFederation(address federation) external view returns (bool);
}
