// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IFederation} from "./interfaces/IFederation.sol";
import {IFederationFactory} from "./interfaces/IFederationFactory.sol";
import {ParameterValidation} from "./libraries/ParameterValidation.sol";
import {FederationParameters} from "./types/FederationParameters.sol";

contract FederationFactory is IFederationFactory {
    /// @inheritdoc IFederationFactory
    address public immutable implementation;
    /// @inheritdoc IFederationFactory
    mapping(address federation => bool) public isFederation;

    constructor(address implementation_) {
        // INVARIANT (C-67): clones delegate to code, not to nothing.
        if (implementation_.code.length == 0) revert NoCode(implementation_);
        implementation = implementation_;
    }

    /// @inheritdoc IFederationFactory
    function createFederation(
        FederationParameters calldata parameters,
        address[] calldata members
    ) external returns (address federation) {
        ParameterValidation.validate(parameters);
        federation = Clones.clone(implementation);
        isFederation[federation] = true;
        emit FederationCreated(federation, msg.sender, parameters.manifestCid);
        IFederation(federation).initialize(parameters, msg.sender, members);
    }
}
