"""An account's funds over a scripted BalanceEx in virtual time, with the private stream in the test's hand."""

from decimal import Decimal

from execsvc.app.funds import Funds
from execsvc.domain.account import Balance
from execsvc.domain.market import EventTimes, FeedState, LinkUp
from execsvc.domain.order import Status, VenueOrder
from execsvc.ports import BalanceSeen, BalancesSnapshot, ExecutionSeen, OrdersSnapshot
from tests.support.simloop import SimClock, SimTasks, run_sim

ZERO = Decimal(0)
OPENED_S = 10.0  # how long the link has stood when a scenario begins
AN_ORDER = ExecutionSeen(VenueOrder("O1", None, Status.OPEN, None, None), None)


class Venue:
    """BalanceEx: `held` is the truth, `asked` when and for whom it was read; an answer takes `takes_s`."""

    def __init__(self, clock):
        self.clock = clock
        self.held = {"USD": Decimal(100)}
        self.asked = []
        self.takes_s = 0.1
        self.failure = None
        self.meanwhile = lambda: None
        self.under_way = 0

    async def balances(self, by, *, caller=""):
        self.asked.append((round(self.clock.monotonic(), 3), caller))
        if self.failure is not None:
            raise self.failure
        assert self.under_way == 0
        self.under_way += 1
        told = dict(self.held)
        try:
            await self.clock.sleep(self.takes_s)
        finally:
            self.under_way -= 1
        self.meanwhile()
        return tuple(Balance(asset, total, ZERO, ZERO, ZERO, self.clock.wall_ns()) for asset, total in told.items())


class Account:
    """Funds over that venue, with the state of the stream in the test's hand."""

    def __init__(self):
        self.clock, self.tasks = SimClock(), SimTasks()
        self.venue = Venue(self.clock)
        self.feed = FeedState.LIVE
        self.funds = Funds(venue=self.venue, clock=self.clock, tasks=self.tasks, feed=lambda: self.feed)

    async def read(self, patience_s=10.0, caller="risk"):
        balances = await self.funds.balances(self.clock.monotonic() + patience_s, caller=caller)
        return {each.asset: each.total for each in balances}

    def told(self, asset, total):
        self.funds.heard(seen(asset, total))

    @property
    def reads(self):
        return len(self.venue.asked)


def seen(asset, total):
    return BalanceSeen(asset, None if total is None else Decimal(total), EventTimes(None, 1))


def account(scenario, *, told=True):
    """Runs a scenario on a link that is LIVE, with or without the channel `balances`."""

    async def main():
        here = Account()
        here.funds.heard(LinkUp(1))
        here.funds.heard(OrdersSnapshot(()))
        if told:
            here.funds.heard(BalancesSnapshot((seen("USD", 100),)))
        await here.clock.sleep(OPENED_S)
        try:
            return await scenario(here)
        finally:
            assert here.tasks.failures == []
            await here.tasks.close()

    return run_sim(main())
