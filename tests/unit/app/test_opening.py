"""Bringing an account up: the key first, then what the last life left, then new orders."""

from dataclasses import replace

import pytest
from opening_parts import opened

from execsvc.app.overview import Phase
from execsvc.domain.errors import Busy, Declined, Reason
from execsvc.domain.order import Status
from tests.support.simloop import run_sim
from tests.support.venue import Fate
from tests.support.world import new_disk, world

LOST = Fate(arrives_s=None, answers_s=None)


def test_before_the_key_was_checked_no_order_is_taken():
    """Nothing is sent, the id stays free, and the answer says to try again."""

    async def scenario(here, _):
        await here.catalog.refresh()
        with pytest.raises(Busy) as refused:
            await here.place("c-1")
        assert (Reason.VENUE_UNREACHABLE, "false") == (refused.value.reason, refused.value.fault.metadata["id_used"])

    opened(scenario)


def test_a_clean_account_serves_at_once():
    """Reconciling, then serving; orders are taken."""

    async def scenario(here, account):
        assert 0 == await account.open()
        assert await account.opening.settled()
        assert [Phase.RECONCILING, Phase.SERVING] == account.phases
        assert Status.OPEN is (await here.place("c-1")).order.status

    opened(scenario)


def test_new_orders_go_right_after_the_barrier_while_doubts_are_resolved():
    """A doubt of the last life takes seconds to be proved absent; a new id is placed meanwhile, and serving comes last."""
    disk = new_disk()

    async def killed():
        async with world(disk=disk) as here:
            here.venue.plan.append(LOST)
            here.tasks.start("caller", here.place("lost", timeout_s=60.0))
            await here.clock.sleep(0.5)

    async def scenario(here, account):
        assert 1 == await account.open()
        assert Status.OPEN is (await here.place("new")).order.status
        assert [Phase.RECONCILING] == account.phases
        began = here.clock.monotonic()
        assert await account.opening.settled()
        assert 3.0 < here.clock.monotonic() - began < 12.0
        assert [Phase.RECONCILING, Phase.SERVING] == account.phases

    run_sim(killed())
    opened(scenario, disk=disk)


def test_the_key_check_is_the_barrier_of_the_last_lifes_doubts():
    """Nothing of the last life can get in after it, so the doubt need not wait for a sweep to prove that."""
    disk = new_disk()

    async def killed():
        async with world(disk=disk) as here:
            here.venue.plan.append(LOST)
            here.tasks.start("caller", here.place("lost", timeout_s=60.0))
            await here.clock.sleep(0.5)

    async def scenario(here, account):
        await account.open()
        (doubt,) = here.resolver._doubts.values()
        assert doubt.evidence.barrier is not None
        assert doubt.evidence.barrier <= here.clock.monotonic()

    run_sim(killed())
    opened(scenario, disk=disk)


def test_a_withdrawal_key_is_never_opened():
    """No override."""

    async def scenario(here, account):
        here.venue.facts = replace(here.venue.facts, permissions=here.venue.facts.permissions | {"withdraw-funds"})
        with pytest.raises(Declined) as refused:
            await account.open()
        assert "withdraw-funds" in refused.value.fault.message

    opened(scenario, allow_shared=True)


def test_a_nonce_window_above_zero_is_never_opened():
    """It would take the barrier away; no override."""

    async def scenario(here, account):
        here.venue.facts = replace(here.venue.facts, nonce_window=10)
        with pytest.raises(Declined) as refused:
            await account.open()
        assert "nonce window is 10" in refused.value.fault.message

    opened(scenario, allow_shared=True)


def test_a_second_user_of_the_key_keeps_orders_out():
    """Reads and cancels work, placements say why and what to do."""

    async def scenario(here, account):
        here.venue.foreign_nonce = 12345
        await account.open()
        with pytest.raises(Declined) as refused:
            await here.place("c-1")
        assert Reason.TRADING_HALTED is refused.value.reason
        assert "another program uses the key" in refused.value.fault.message
        assert "EXECSVC_ALLOW_SHARED_KEY=on" in refused.value.fault.message
        assert any("12345" in warning for warning in account.warnings)

    opened(scenario)


def test_a_shared_key_may_be_allowed():
    """The operator said so: warned about, and traded with."""

    async def scenario(here, account):
        here.venue.foreign_nonce = 12345
        await account.open()
        assert Status.OPEN is (await here.place("c-1")).order.status
        assert any("12345" in warning for warning in account.warnings)

    opened(scenario, allow_shared=True)


def test_refused_nonces_close_the_desk_until_the_key_was_looked_at():
    """Two refusals: no order goes out before GetApiKeyInfo was answered, then all goes on."""

    async def scenario(here, account):
        await account.open()
        account.opening.nonces_refused()
        with pytest.raises(Busy) as refused:
            await here.place("c-1")
        assert "the key is being looked at" in refused.value.fault.message
        await here.clock.sleep(1.0)
        assert Status.OPEN is (await here.place("c-1")).order.status

    opened(scenario)


def test_a_second_user_found_later_halts_as_well():
    """The look after refused nonces finds a stranger's: orders stay out."""

    async def scenario(here, account):
        await account.open()
        here.venue.foreign_nonce = 99
        account.opening.nonces_refused()
        await here.clock.sleep(1.0)
        with pytest.raises(Declined) as refused:
            await here.place("c-1")
        assert "99" in refused.value.fault.message

    opened(scenario)


def test_a_key_that_lost_its_rights_is_noticed_within_the_hour():
    """The hourly look closes the desk in words; from then on it looks every minute, and opens it when the rights are back."""

    async def scenario(here, account):
        await account.open()
        good = here.venue.facts
        here.venue.facts = replace(good, permissions=good.permissions - {"modify-trades"})
        await here.clock.sleep(3700)
        await here.catalog.refresh()
        with pytest.raises(Declined) as refused:
            await here.place("c-1")
        assert "modify-trades" in refused.value.fault.message
        here.venue.facts = good
        await here.clock.sleep(70)
        assert Status.OPEN is (await here.place("c-1")).order.status

    opened(scenario)


def test_an_exchange_that_does_not_answer_is_asked_again():
    """Busy, not refused: whoever opens the account tries again."""

    async def scenario(here, account):
        here.venue.reachable = False
        with pytest.raises(Busy):
            await account.open()
        here.venue.reachable = True
        assert 0 == await account.open()

    opened(scenario)
