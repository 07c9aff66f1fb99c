// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IFederationActions} from "./interfaces/IFederationActions.sol";
import {FederationParameters} from "./types/FederationParameters.sol";
import {Membership} from "./federation/Membership.sol";
import {Voiding} from "./federation/Voiding.sol";

/// @title The implementation that every federation's clone delegates to
/// @notice One concern per file under `federation/`: FederationStorage, Rotation (turns), RoundClock (deadlines),
///         Standing, Stakes, Membership, Rounds (commit, reveal, publish, finalize), Voiding (the place of fraud
///         proofs). Whatever is not here is a question and goes to FederationViews, which shares the storage layout.
///         Together they are an IFederation.
contract Federation is Membership, Voiding {
    address private immutable VIEWS;

    /// @param views the deployed FederationViews
    constructor(address views) {
        // INVARIANT (C-67): what is delegated goes to code, not to nothing.
        if (views.code.length == 0) revert NoCode(views);
        VIEWS = views;
    }

    /// @inheritdoc IFederationActions
    /// @dev The factory has validated the parameters: a federation is one that `FederationFactory.isFederation` knows.
    function initialize(
        FederationParameters calldata parameters_,
        address owner_,
        address[] calldata members
    ) external initializer {
        _transferOwnership(owner_);
        _parameters = parameters_;
        _rounds[0].modelRoot = parameters_.genesisModelRoot;
        _addMembers(members);
    }

    /// @dev Questions carry no coin (C-68): a payment that names no action is refused, not kept.
    fallback(bytes calldata question) external returns (bytes memory) {
        return Address.functionDelegateCall(VIEWS, question);
    }
}
