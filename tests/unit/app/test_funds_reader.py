"""A follower of the funds: a snapshot first, then differences, folded and counted, and a gap after a new link."""

from decimal import Decimal

from funds_parts import AN_ORDER, account, seen

from execsvc.app.feeds import STALENESS_BOUND_S
from execsvc.app.funds import SPACING_S
from execsvc.app.fundsreader import FundsMoved, FundsReader, FundsShown
from execsvc.app.hub import Gap
from execsvc.domain.account import Balance
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.market import FeedState, GapReason, LinkUp
from execsvc.ports import OrdersSnapshot

GAP = Gap(GapReason.UPSTREAM_RECONNECT, ())


class Follower:
    """Reads along, and puts what it is told into plain words."""

    def __init__(self, here):
        self.here = here
        self.reader = FundsReader(here.funds, here.clock)

    async def take(self, within_s=SPACING_S + 1):
        return [plain(news) for news in await self.reader.take(self.here.clock.monotonic() + within_s)]


def plain(news):
    match news:
        case FundsShown(balances):
            return {each.asset: int(each.total) for each in balances}
        case FundsMoved(balance, folded):
            return balance.asset, int(balance.total), folded
        case _:
            return news


def followed(scenario):
    async def main(here):
        with here.funds.read_by("ops"):
            return await scenario(here, Follower(here))

    return account(main)


def moved(here, **held):
    """The truth changes, and the stream tells of it."""
    here.venue.held |= {asset: Decimal(total) for asset, total in held.items()}
    for asset, total in held.items():
        here.told(asset, total)


def test_all_balances_come_first():
    """In one message, ordered by asset; the reader is LIVE from then on, not before."""

    async def scenario(here, follower):
        here.venue.held["BTC"] = Decimal(2)
        before = follower.reader.state
        return before, await follower.take(), follower.reader.state

    assert (FeedState.RESYNCING, [{"BTC": 2, "USD": 100}], FeedState.LIVE) == followed(scenario)


def test_no_balances_at_all_are_a_snapshot_too():
    """An empty account is something to know."""

    async def scenario(here, follower):
        here.venue.held.clear()
        here.told("USD", 0)
        return await follower.take()

    assert [{}] == followed(scenario)


def test_what_changed_comes_alone():
    """One message a balance, and nothing of those that stand."""

    async def scenario(here, follower):
        here.venue.held["BTC"] = Decimal(2)
        await follower.take()
        moved(here, USD=90, ETH=1)
        return await follower.take()

    assert [("ETH", 1, 0), ("USD", 90, 0)] == followed(scenario)


def test_a_hold_is_a_change():
    """Total and credit stand, what is available does not."""

    async def scenario(here, follower):
        await follower.take()
        balances = here.venue.balances

        async def held(by, *, caller=""):
            (usd,) = await balances(by, caller=caller)
            return (Balance("USD", usd.total, Decimal(40), usd.credit, usd.credit_used, usd.receive_ns),)

        here.venue.balances = held
        here.funds.heard(AN_ORDER)
        (news,) = await follower.reader.take(here.clock.monotonic() + 5)
        return news.balance.held, news.balance.available

    assert (Decimal(40), Decimal(60)) == followed(scenario)


def test_an_order_that_changes_nothing_is_not_told():
    """The picture is new, its figures are not."""

    async def scenario(here, follower):
        await follower.take()
        here.funds.heard(AN_ORDER)
        news = await follower.take()
        return news, here.reads

    assert ([], 2) == followed(scenario)


def test_what_is_gone_is_told_as_zero():
    """An asset that a picture has no more replaces the one the reader holds."""

    async def scenario(here, follower):
        await follower.take()
        here.venue.held.clear()
        here.told("USD", 0)
        return await follower.take()

    assert [("USD", 0, 0)] == followed(scenario)


def test_a_slow_reader_gets_the_newest_and_the_count():
    """Pictures it did not take are folded by asset; nothing is queued."""

    async def scenario(here, follower):
        await follower.take()
        for total in (90, 80, 70):
            moved(here, USD=total)
            await here.clock.sleep(SPACING_S + 0.5)
        moved(here, BTC=1)
        await here.clock.sleep(SPACING_S + 0.5)
        return follower.reader.pending, await follower.take(), follower.reader.pending

    assert (2, [("BTC", 1, 0), ("USD", 70, 2)], 0) == followed(scenario)


def test_a_new_link_is_a_gap_and_a_snapshot():
    """What the reader holds is void; LIVE comes with the new picture."""

    async def scenario(here, follower):
        await follower.take()
        here.feed = FeedState.STALE
        states = [follower.reader.state]
        here.feed = FeedState.RESYNCING
        here.funds.heard(LinkUp(2))
        here.funds.heard(OrdersSnapshot(()))
        here.venue.held["USD"] = Decimal(90)
        news = [await follower.take()]
        states.append(follower.reader.state)
        here.feed = FeedState.LIVE
        states.append(follower.reader.state)
        news.append(await follower.take())
        return news, [*states, follower.reader.state]

    states = [FeedState.STALE, FeedState.RESYNCING, FeedState.RESYNCING, FeedState.LIVE]
    assert ([[GAP], [{"USD": 90}]], states) == followed(scenario)


def test_a_reader_that_saw_nothing_has_no_gap():
    """A hole is in something."""

    async def scenario(here, follower):
        here.venue.takes_s = 0.5
        here.funds.heard(LinkUp(2))
        return await follower.take()

    assert [{"USD": 100}] == followed(scenario)


def test_a_picture_from_before_the_reader_came_is_not_its_first():
    """What was told since somebody last asked is in it, or it is not shown."""

    async def scenario(here):
        await here.read()
        await here.clock.sleep(100)
        moved(here, USD=90)
        await here.clock.sleep(100)
        with here.funds.read_by("ops"):
            follower = Follower(here)
            state = follower.reader.state
            return state, await follower.take(), here.reads

    assert (FeedState.RESYNCING, [{"USD": 90}], 2) == account(scenario)


def test_a_picture_that_stands_is_shown_at_once():
    """A second reader costs no call."""

    async def scenario(here, follower):
        await follower.take()
        return await Follower(here).take(within_s=0), here.reads

    assert ([{"USD": 100}], 1) == followed(scenario)


def test_news_that_cannot_be_read_make_the_reader_stale():
    """The picture stays what it was; the state says not to trust it, until the next one."""

    async def scenario(here, follower):
        await follower.take()
        here.venue.failure = refuse(Reason.LOCAL_RATE_LIMITED, "full", retry_after_s=8.0)
        moved(here, USD=90)
        early = follower.reader.state
        news = await follower.take(within_s=STALENESS_BOUND_S + 1)
        late = follower.reader.state
        here.venue.failure = None
        return early, news, late, await follower.take(within_s=5), follower.reader.state

    assert (FeedState.LIVE, [], FeedState.STALE, [("USD", 90, 0)], FeedState.LIVE) == followed(scenario)


def test_nobody_reads_along_any_more():
    """The last reader gone, news cost nothing."""

    async def scenario(here):
        with here.funds.read_by("ops"):
            await Follower(here).take()
        here.funds.heard(seen("USD", None))
        await here.clock.sleep(60)
        return here.reads

    assert 1 == account(scenario)
