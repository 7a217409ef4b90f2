"""Several accounts in one process: each is tried by itself, none is let through with another's key."""

import asyncio

import pytest

from execsvc.compose.account import open_accounts
from execsvc.compose.drain import DRAIN_MOST_S, drain
from execsvc.compose.formeraccounts import tell_former_accounts
from execsvc.compose.outcome import StartRefused, Stop
from execsvc.compose.strangepairs import strange_pairs
from execsvc.compose.venue import AccountKey, _each_its_own
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.order import LIVE, UNRESOLVED
from execsvc.runtime.secrets import Secret
from tests.support.configs import read
from tests.support.simloop import SimClock, run_sim
from tests.support.venue import BTC_USD


class Start:
    """One account's first try: takes a while, and ends as it is told."""

    def __init__(self, clock, takes_s=0.0, failure=None):
        self.clock, self.takes_s, self.failure = clock, takes_s, failure
        self.done = False

    async def first_try(self, stop):
        await self.clock.sleep(self.takes_s)
        if self.failure is not None:
            raise self.failure
        self.done = True


def opened(*ends):
    """Starts that were opened together; how long it took, and what was refused."""

    async def main():
        clock = SimClock()
        starts = [Start(clock, *end) for end in ends]
        refused = ""
        try:
            await open_accounts(starts, Stop())
        except StartRefused as no:
            refused = str(no)
        return [start.done for start in starts], clock.monotonic(), refused

    return run_sim(main())


def test_accounts_are_opened_together():
    """One that has to wait for the exchange keeps no other waiting."""
    assert ([True, True, True], 3.0, "") == opened((3.0,), (1.0,), (2.0,))


def test_every_refused_key_is_told_and_named():
    """All lines of a start that is refused, not the first alone; the good account is no excuse."""
    found = opened((0.0, StartRefused("account a: bad")), (1.0, StartRefused("account b: worse")), (0.5,))
    assert ([False, False, True], 1.0, "account a: bad\naccount b: worse") == found


def test_a_fault_of_ours_is_not_taken_for_a_refused_key():
    """It comes out as what it is."""

    async def main():
        clock = SimClock()
        await open_accounts([Start(clock, 0.0, StartRefused("x")), Start(clock, 0.0, KeyError("y"))], Stop())

    with pytest.raises(KeyError):
        run_sim(main())


def test_two_accounts_with_one_key_are_refused():
    """They would be one account that undoes its own counts; the key is not repeated."""
    keys = {name: AccountKey(Secret("PAPERsame"), Secret(name)) for name in ("main", "hedge")}
    with pytest.raises(StartRefused, match="accounts main and hedge have the same API key") as refused:
        _each_its_own(keys)
    assert "PAPERsame" not in str(refused.value)


class Catalogue:
    """Knows one pair, under two spellings."""

    ready = True

    def instrument(self, symbol, path=""):
        if symbol in {"BTC/USD", "BTCUSD"}:
            return BTC_USD
        raise refuse(Reason.UNKNOWN_SYMBOL, "no such pair")


def test_pairs_that_nobody_lists_are_found_in_rules_and_grants():
    """A limit on one of them would hold nobody to anything."""
    text = """
[callers.a]
permissions = ["trade:main"]
symbols = ["BTC/USD", "DOG/USD"]
[[risk.rules]]
symbol = "BCT/USD"
max_open_orders = 1
[[risk.rules]]
symbol = "BTC/USD"
max_open_orders = 1
"""
    assert ("BCT/USD", "DOG/USD") == strange_pairs(read(text), Catalogue())


class Facts:
    """The store's double: facts, and how many orders each account still has."""

    def __init__(self, **orders):
        self.orders, self.facts = orders, {}

    async def recall(self, account, name):
        return self.facts.get((account, name), "")

    async def remember(self, account, name, value):
        self.facts[account, name] = value

    async def in_status(self, account, statuses):
        assert statuses == LIVE | UNRESOLVED
        return ("order",) * self.orders.get(account, 0)


def starts(store, *lives):
    """What was told at each start with these accounts."""

    async def main():
        return [await tell_former_accounts(names, store) for names in lives]

    return run_sim(main())


def test_an_account_that_is_gone_and_has_orders_is_told_until_it_has_none():
    """At every start, also when it was gone at the one before; one that is back, or left nothing, is not told."""
    store = Facts(old=2, empty=0)
    assert [(), ("old",), ("old",), ()] == starts(store, ("a", "old", "empty"), ("a",), ("a",), ("a", "old"))
    store.orders["old"] = 0
    assert [()] == starts(store, ("a",))
    store.orders["old"] = 1
    assert [()] == starts(store, ("a",)), "it was settled, and is forgotten"


def test_before_accounts_had_names_there_was_main():
    """A store of an earlier build: its only account does not vanish unseen."""
    assert [("main",)] == starts(Facts(main=1), ("desk",))


# ---- leaving ---------------------------------------------------------------------------------------------------------


class Bag:
    """Something that has what it is given."""

    def __init__(self, **facts):
        self.__dict__.update(facts)


class Waits:
    """Doubts that take so long once somebody waits for them."""

    in_doubt = 0

    def __init__(self, clock, takes_s):
        self.clock, self.takes_s = clock, takes_s

    async def until_none(self, by):
        left_s = by - self.clock.monotonic()
        await self.clock.sleep(max(0.0, min(self.takes_s, left_s)))
        return self.takes_s <= left_s


class Door:
    """Notes what is done to it."""

    def __init__(self, clock):
        self.clock, self.said = clock, []

    def drain(self):
        self.said.append(("drain", self.clock.monotonic()))

    async def stop(self, grace_s):
        self.said.append(("stop", self.clock.monotonic()))


def left(*takes):
    """What the door saw when accounts left whose doubts take so long, in seconds."""

    async def main():
        clock = SimClock()
        door = Door(clock)

        async def leave(by):
            await asyncio.sleep(0)

        built = {
            str(number): Bag(
                house=Bag(
                    desk=Bag(in_flight=0),
                    amends=Bag(in_flight=0, doubts=Bag(in_doubt=0), until_none=Waits(clock, 0.0).until_none),
                    resolver=Waits(clock, takes_s),
                    dead_man=Bag(leave=leave),
                )
            )
            for number, takes_s in enumerate(takes)
        }
        await drain(door, built, Bag(clock=clock))
        return door.said

    return run_sim(main())


def test_all_accounts_leave_within_one_time():
    """Side by side: the slowest is waited for, and their times do not add up."""
    assert [("drain", 0.0), ("stop", 9.0)] == left(9.0, 8.0, 7.0)
    (_, begun), (_, ended) = left(1e9, 1e9)
    assert (0.0, True) == (begun, ended <= DRAIN_MOST_S)
