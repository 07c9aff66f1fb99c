// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @dev The contracts that a federation delegates to. One contract with everything would be larger than EIP-170 lets a
///      contract be; all of them share the layout of FederationStorage.
struct Modules {
    address membership;
    address relay;
    address proofs;
    address gramProofs;
    address availability;
    address rewards;
    address views;
}
