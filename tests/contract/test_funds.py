"""An account's funds over the wire: orders move them, the stream tells, one whole picture follows at hardly any call."""

from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from venue_rig import opened

from execsvc.app.catalog import Catalog
from execsvc.app.fundsreader import FundsMoved, FundsReader, FundsShown
from execsvc.app.house import Terms, house
from execsvc.app.hub import Gap
from execsvc.domain.market import FeedState
from execsvc.paper.options import PaperOptions
from execsvc.paper.server import PaperServer
from execsvc.store.disk import Disk
from execsvc.store.memory import MemoryStore
from execsvc.telemetry import silent
from tests.support.entropy import SeededEntropy
from tests.support.risks import risk_desk

SETTLED_S = 8.0


@pytest.fixture
async def paper():
    server = PaperServer(PaperOptions(control_port=0, pairs=("BTC/USD", "ETH/USD"), warm_up_s=10))
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def venue(paper):
    async with opened(paper, Disk.blank(SeededEntropy(3))) as built:
        yield built


class Account:
    """The account's rooms over the adapter, with its private stream followed."""

    def __init__(self, venue):
        self.venue = venue
        self.house = house(
            account="main",
            venue=venue.private,
            store=(store := MemoryStore(Disk.blank(SeededEntropy(5)))),
            catalog=(catalog := Catalog(venue.public, venue.clock)),
            risk=risk_desk(store, catalog, None, venue.clock),
            clock=venue.clock,
            tasks=venue.tasks,
            telemetry=silent(),
            alarm=lambda _: None,
            terms=Terms(),
        )
        self.funds = self.house.funds
        self.reader = FundsReader(self.funds, venue.clock)
        self.shown = {}
        self.kinds = []

    async def eventually(self, holds):
        """Reads along until `holds()`."""
        by = self.venue.clock.monotonic() + SETTLED_S
        while not holds():
            assert self.venue.clock.monotonic() < by, "it did not come about in time"
            for news in await self.reader.take(self.venue.clock.monotonic() + 0.05):
                self.kinds.append(type(news))
                self._take(news)

    def _take(self, news):
        match news:
            case FundsShown(balances):
                self.shown = {each.asset: (each.total, each.held) for each in balances}
            case FundsMoved(balance, _):
                self.shown[balance.asset] = (balance.total, balance.held)
            case Gap():
                self.shown = {}

    async def settled(self):
        """All that was told is in what was shown."""
        await self.eventually(
            lambda: self.shown and self.funds.picture is not None and self.funds.picture.moves == self.funds.moves
        )

    async def truth(self):
        """BalanceEx as the exchange gives it now, asked apart."""
        return {each.asset: (each.total, each.held) for each in await self.venue.private.balances(self.venue.by)}

    async def reads(self):
        return [call["call"] for call in await self.venue.calls()].count("BalanceEx")


@asynccontextmanager
async def followed(venue):
    account = Account(venue)
    venue.tasks.start("executions", account.house.executions.follow())
    with account.funds.read_by("ops"):
        yield account


async def test_a_market_order_ends_where_balance_ex_stands(venue):
    """Both assets move; what the follower holds then is Kraken's own picture, to the last digit."""
    async with followed(venue) as account:
        await account.settled()
        before = dict(account.shown)
        await venue.place(venue.order("takes", None, "0.5"))
        await account.eventually(lambda: account.shown.get("BTC", before["BTC"]) != before["BTC"])
        await account.settled()
        assert account.shown == await account.truth()
        assert account.shown["BTC"][0] == before["BTC"][0] + Decimal("0.5")
        assert account.shown["USD"][0] < before["USD"][0]
        assert [FundsShown, FundsMoved, FundsMoved] == account.kinds


async def test_a_resting_order_is_told_as_held(venue):
    """The channel says nothing of holds; the picture behind the order's report does."""
    async with followed(venue) as account:
        await account.settled()
        free = account.shown["USD"]
        placed = venue.order("rests", "50000.0", "0.1")
        accepted = await venue.place(placed)
        await account.eventually(lambda: account.shown["USD"] != free)
        assert (free[0], True) == (account.shown["USD"][0], account.shown["USD"][1] > free[1])
        await venue.private.cancel(accepted.venue_order_id, placed.venue_client_id, venue.by)
        await account.eventually(lambda: account.shown["USD"] == free)
        assert account.shown == await account.truth()


async def test_a_hundred_questions_in_steady_state_cost_one_call(venue):
    """The private stream is LIVE and nothing moves: Kraken is asked once, if at all."""
    async with followed(venue) as account:
        await account.eventually(lambda: account.house.executions.state is FeedState.LIVE)
        before = await account.reads()
        for _ in range(100):
            answer = await account.funds.balances(venue.by, caller="risk")
        assert await account.reads() - before <= 1
        assert {each.asset: (each.total, each.held) for each in answer} == await account.truth()


@pytest.mark.parametrize(
    "mishap", [{"kind": "skip_sequence", "channel": "balances"}, {"kind": "cut_frame", "channel": "balances"}], ids=str
)
async def test_a_lost_balance_starts_the_link_anew(venue, mishap):
    """A jump in the sequence, a message that breaks off: a gap, then a fresh snapshot that is true."""
    async with followed(venue) as account:
        await account.settled()
        await venue.fault(**mishap)
        await venue.place(venue.order("takes", None, "0.5"))
        await account.eventually(lambda: Gap in account.kinds and account.shown)
        await account.settled()
        assert account.shown == await account.truth()
        assert 2 == account.funds.link


async def test_funds_stay_on_rest_where_balances_are_refused(venue):
    """The executions stand all the same; an order's reports say when to ask."""
    await venue.fault("token_expired", channel="balances")
    async with followed(venue) as account:
        await account.settled()
        before = account.shown["BTC"]
        await venue.place(venue.order("takes", None, "0.5"))
        await account.eventually(lambda: account.shown["BTC"] != before)
        await account.settled()
        assert (account.shown, 1, FeedState.LIVE) == (
            await account.truth(),
            account.funds.link,
            account.house.executions.state,
        )
