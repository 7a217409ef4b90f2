"""The eye on the key: what is told and when, what closes the desk and what opens it again."""

from dataclasses import replace

import pytest
from opening_parts import opened

from execsvc.app.keywatch import CHECK_EVERY_S
from execsvc.app.standing import Phase, Standing
from execsvc.domain.errors import Declined, Reason
from execsvc.domain.order import Status
from execsvc.rpc.convert.admin import account_health

END = "key_valid_until_time"
DAY_S = 86_400
DAY_NS = DAY_S * 10**9


def needless(facts, *names):
    return replace(facts, permissions=facts.permissions | set(names))


def test_what_could_be_better_is_told_once_and_shown_as_long_as_it_lasts():
    """A needless right: one warning at the start, none at the next looks, and a problem in the status until it is gone."""

    async def scenario(here, account):
        good = here.venue.facts
        here.venue.facts = needless(good, "earn-funds")
        await account.open()
        await here.clock.sleep(3 * CHECK_EVERY_S)
        what = "it has the permission earn-funds, which is not needed here"
        assert [f"the API key {here.venue.key_label}: {what}"] == account.warnings
        assert (f"the API key: {what}",) == account.opening.key.standing.problems
        here.venue.facts = good
        await here.clock.sleep(CHECK_EVERY_S)
        assert () == account.opening.key.standing.problems

    opened(scenario)


def test_what_could_be_better_is_told_when_it_is_found_later():
    """Rights may be added while we run: the next hourly look tells it."""

    async def scenario(here, account):
        await account.open()
        here.venue.facts = needless(here.venue.facts, "earn-funds")
        await here.clock.sleep(CHECK_EVERY_S + 1)
        await here.catalog.refresh()
        assert ["earn-funds" in warning for warning in account.warnings] == [True]
        assert Status.OPEN is (await here.place("c-1")).order.status

    opened(scenario)


def test_an_expiry_that_comes_near_is_told_once_a_day():
    """Looked at every hour, said every day, with the days that are left."""

    async def scenario(here, account):
        here.venue.facts = replace(here.venue.facts, valid_until_ns=here.clock.wall_ns() + 4 * DAY_NS + DAY_NS // 2)
        await account.open()
        await here.clock.sleep(3 * DAY_S)
        told = [warning.partition(" expires ")[2].partition(",")[0] for warning in account.warnings]
        assert ["in 4 days", "in 3 days", "in 2 days", "in 1 day"] == told
        assert here.venue.facts.valid_until_ns == account.opening.key.standing.valid_until_ns

    opened(scenario)


def test_a_key_that_expires_while_we_run_closes_the_desk():
    """Within the hour, in words; a new date opens it again within a minute."""

    async def scenario(here, account):
        here.venue.facts = replace(here.venue.facts, valid_until_ns=here.clock.wall_ns() + DAY_NS // 48)
        await account.open()
        await here.clock.sleep(CHECK_EVERY_S + 1)
        await here.catalog.refresh()
        with pytest.raises(Declined) as refused:
            await here.place("c-1")
        assert Reason.TRADING_HALTED is refused.value.reason
        assert "it has expired" in refused.value.fault.message
        here.venue.facts = replace(here.venue.facts, valid_until_ns=None)
        await here.clock.sleep(61)
        assert Status.OPEN is (await here.place("c-1")).order.status

    opened(scenario)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"nonce_window": 7}, "its nonce window is 7"),
        ({"permissions": frozenset({"withdraw-funds"})}, "it may withdraw-funds"),
    ],
)
def test_a_key_that_turns_dangerous_closes_the_desk_and_the_status_says_why(change, named):
    """A window opened or a withdrawal right given later: no order any more, and a problem for whoever looks."""

    async def scenario(here, account):
        await account.open()
        here.venue.facts = replace(here.venue.facts, **change)
        await here.clock.sleep(CHECK_EVERY_S + 1)
        with pytest.raises(Declined) as refused:
            await here.place("c-1")
        assert named in refused.value.fault.message
        assert [True] == [named in problem for problem in here.house.switch.problems]

    opened(scenario)


@pytest.mark.parametrize(("real_money", "told"), [(True, 1), (False, 0)])
def test_an_address_list_is_advised_where_money_is_real(real_money, told):
    """A paper exchange's key needs none."""

    async def scenario(here, account):
        await account.open()
        assert told == sum("any address" in warning for warning in account.warnings)

    opened(scenario, real_money=real_money)


def test_the_status_tells_the_keys_end_and_what_could_be_better():
    """GetVenueStatus: the instant it expires, and the problems in words, while orders are taken all the same."""

    async def scenario(here, account):
        end_ns = here.clock.wall_ns() + 2 * DAY_NS + DAY_NS // 2
        here.venue.facts = replace(here.venue.facts, valid_until_ns=end_ns)
        house = here.house
        standing = Standing(
            account="main",
            private=here.venue,
            executions=house.executions,
            funds=house.funds,
            resolver=house.resolver,
            visibility=house.visibility,
            switch=house.switch,
            phase=Phase.SERVING,
        )
        standing.key = lambda: account.opening.key.standing
        assert (None, False) == (standing.report().key_valid_until_ns, account_health(standing.report()).HasField(END))
        await account.open()
        told = account_health(standing.report())
        assert end_ns == getattr(told, END).ToNanoseconds()
        assert [True] == [problem.startswith("the API key: it expires in 2 days, on ") for problem in told.problems]
        assert standing.trading_ready

    opened(scenario)


def test_the_look_after_refused_nonces_judges_the_rights_too():
    """GetApiKeyInfo is asked for the nonce; what else it says is heard: the desk stays closed by the key."""

    async def scenario(here, account):
        await account.open()
        here.venue.facts = replace(here.venue.facts, nonce_window=3)
        account.opening.nonces_refused()
        await here.clock.sleep(1.0)
        with pytest.raises(Declined) as refused:
            await here.place("c-1")
        assert "its nonce window is 3" in refused.value.fault.message

    opened(scenario)
