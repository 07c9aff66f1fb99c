// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IFederation} from "../../../contracts/interfaces/IFederation.sol";
import {Role} from "../../../contracts/types/Actors.sol";
import {TinyFederation, TinyToken} from "./TinyFederation.sol";
import {TinyTrees} from "./TinyTrees.sol";
import {vm} from "./Vm.sol";

/// @notice For tests only: the people, and a second set of books. After every transaction that succeeded each person's wealth (in the
///         pocket, at stake, credited, posted as bond) is compared with what this transaction may have paid it: nobody gains
///         anything that is not announced here, and what anybody loses without having spent it was burned.
abstract contract JusticeLedger {
    uint256 public constant ACTORS = 7;
    uint96 internal constant STAKE = TinyFederation.STAKE;
    address internal constant BURN = 0x000000000000000000000000000000000000dEaD;
    uint256 private constant POCKET = 1_000_000 ether;

    IFederation public immutable federation;
    TinyToken internal immutable token;
    bool internal immutable mixed;

    mapping(bytes32 action => uint256) public succeeded;
    /// The first thing that should not have been.
    string public violation;
    /// Bonds of open challenges, by who posted them.
    mapping(address => uint256) internal _bonds;
    uint256 public openBonds;

    address[ACTORS] private _people;
    uint256[ACTORS] private _wealth;
    uint256 private _burned;
    /// What the transaction under way may give and take.
    mapping(address => uint256) private _due;
    mapping(address => uint256) private _spent;

    constructor(bool withToken, bool mixed_) {
        token = withToken ? new TinyToken() : TinyToken(address(0));
        mixed = mixed_;
        federation = TinyFederation.deploy(address(token), mixed_);
        // Coin is dealt to this contract and sent on: what is dealt to somebody is taken back by the runner when a
        // transaction of theirs reverts, and random senders may be one of the people.
        if (!withToken) vm.deal(address(this), ACTORS * POCKET);
        for (uint256 i = 0; i < ACTORS; ++i) {
            address person = vm.addr(privateKey(i));
            _people[i] = person;
            if (withToken) {
                token.mint(person, POCKET);
                vm.prank(person);
                token.approve(address(federation), type(uint256).max);
            } else {
                (bool sent, ) = person.call{value: POCKET}("");
                require(sent, "no coin for the people");
            }
        }
        for (uint256 i = 0; i < ACTORS; ++i) _wealth[i] = wealth(_people[i]);
    }

    function actor(uint256 i) public view returns (address) {
        return _people[i % ACTORS];
    }

    /// @dev The one that always does what is due, in time and honestly.
    function diligent() public view returns (address) {
        return _people[0];
    }

    function privateKey(uint256 i) internal pure returns (uint256) {
        return 0xA11CE000 + (i % ACTORS);
    }

    function held(address account) public view returns (uint256) {
        return address(token) == address(0) ? account.balance : token.balanceOf(account);
    }

    // ---- a transaction and its account

    /// @dev Sends; on success the caller announces what it may have paid (`_mayGain`, `_maySpend`), then calls `_account`.
    function _send(address sender, uint256 value, bytes32 action, bytes memory call_) internal returns (bool ok) {
        (ok, ) = _sendFor(sender, value, action, call_);
    }

    function _sendFor(
        address sender,
        uint256 value,
        bytes32 action,
        bytes memory call_
    ) internal returns (bool ok, bytes memory answer) {
        if (sender == address(0)) return (false, "");
        vm.prank(sender);
        (ok, answer) = address(federation).call{value: address(token) == address(0) ? value : 0}(call_);
        if (ok) ++succeeded[action];
        else lastError[action] = answer;
    }

    /// Why an action failed last: what somebody who repairs a red run reads first.
    mapping(bytes32 action => bytes) public lastError;

    /// @dev How often an action succeeded, and why it failed last.
    function explain(bytes32 action) external view returns (string memory) {
        bytes memory reason = lastError[action];
        bytes memory digits = "0123456789abcdef";
        bytes memory hex_ = new bytes(2 * reason.length);
        for (uint256 i = 0; i < reason.length; ++i) {
            hex_[2 * i] = digits[uint8(reason[i]) >> 4];
            hex_[2 * i + 1] = digits[uint8(reason[i]) & 15];
        }
        uint256 times = succeeded[action];
        string memory count = times < 10 ? string(bytes.concat(digits[times])) : "many";
        return string.concat(" [", _text(action), ": done ", count, ", refused 0x", string(hex_), "]");
    }

    /// @dev A transaction that pays nobody anything.
    function _act(address sender, bytes32 action, bytes memory call_) internal returns (bool ok) {
        ok = _send(sender, 0, action, call_);
        if (ok) _account(action);
    }

    /// @dev A transaction that puts the sender's own money somewhere where it stays the sender's own.
    function _place(address sender, uint256 value, bytes32 action, bytes memory call_) internal returns (bool ok) {
        ok = _send(sender, value, action, call_);
        if (ok) _account(action);
    }

    function _mayGain(address account, uint256 amount) internal {
        _due[account] += amount;
    }

    function _maySpend(address account, uint256 amount) internal {
        _spent[account] += amount;
    }

    /// @dev INVARIANT I-04: nobody ends with more than honest play pays.
    function _account(bytes32 action) internal {
        uint256 lost;
        for (uint256 i = 0; i < ACTORS; ++i) {
            address person = _people[i];
            uint256 expected = _wealth[i] + _due[person];
            uint256 owns = wealth(person);
            _wealth[i] = owns;
            owns += _spent[person];
            if (owns > expected) _violated(string.concat("somebody gained by ", _text(action)));
            else lost += expected - owns;
            delete _due[person];
            delete _spent[person];
        }
        uint256 burned = federation.totalBurned();
        if (burned - _burned != lost) _violated(string.concat("a loss was not burned by ", _text(action)));
        _burned = burned;
        _skip(1);
    }

    /// @dev Who, other than the sender, has more than before the transaction under way.
    function _gainer(address sender) internal view returns (address) {
        for (uint256 i = 0; i < ACTORS; ++i) {
            if (_people[i] != sender && wealth(_people[i]) > _wealth[i]) return _people[i];
        }
        return address(0);
    }

    function wealth(address person) public view returns (uint256) {
        return held(person) + _inContract(person) + _bonds[person];
    }

    function _inContract(address person) internal view returns (uint256) {
        return stakeOf(person, Role.Participant) + stakeOf(person, Role.Aggregator) + federation.creditOf(person);
    }

    function stakeOf(address person, Role role) internal view returns (uint256) {
        return role == Role.Participant ? federation.participant(person).stake : federation.aggregator(person).stake;
    }

    /// @dev INVARIANT I-01: what the contract holds is what it owes: stakes, credits, bonds of open challenges, the reward pool and
    ///      what is reserved of it.
    function owed() public view returns (uint256 sum) {
        for (uint256 i = 0; i < ACTORS; ++i) sum += _inContract(_people[i]);
        sum += federation.creditOf(BURN) + openBonds + federation.rewardPool();
        for (uint64 r = 1; r <= federation.lastFinalRound(); ++r) sum += federation.rewardOf(r);
    }

    function _posted(address account, uint256 bond) internal {
        _bonds[account] += bond;
        openBonds += bond;
    }

    function _returned(address account, uint256 bond) internal {
        _bonds[account] -= bond;
        openBonds -= bond;
    }

    function _violated(string memory what) internal {
        if (bytes(violation).length == 0) violation = what;
    }

    function _require(bool holds, string memory what) internal {
        if (!holds) _violated(what);
    }

    function _skip(uint256 seconds_) internal {
        vm.warp(block.timestamp + seconds_);
        vm.roll(block.number + 1);
    }

    function _text(bytes32 word) private pure returns (string memory) {
        uint256 length;
        while (length < 32 && word[length] != 0) ++length;
        bytes memory text = new bytes(length);
        for (uint256 i = 0; i < length; ++i) text[i] = word[i];
        return string(text);
    }
}
