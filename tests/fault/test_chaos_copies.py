"""A proxy in front of the exchange repeats placements and hands on the copy's answer: nothing doubles, and trading goes on.

The copy's answer is "Invalid nonce", although the original was carried out. Real processes, several orders at once. One such
copy alone is a cell of test_chaos_matrix.py.
"""

import asyncio

import pytest

from tests.support.faultproxy_rig import hall, until, wish
from tests.support.toxics import Dose, Down, Duplicate

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

ORDERS = 6
PATIENCE_S = 20.0
ENTRY_S = 10.0  # the last of them waits for the looks at all before it, on a busy machine


async def copied(home, *, with_stream):
    """Some orders at once while every placement is copied, and one more when the proxy has been mended."""
    async with hall(home) as here:
        desk = await here.open_desk("desk")
        assert await until(lambda: desk.links["ws"].open_connections, 10.0)
        if not with_stream:
            desk.links["ws"].add(Dose(Down()))
        armed = desk.rest.add(Dose(Duplicate("/AddOrder", "second")))
        wishes = [wish(number, fills=number % 2 == 0, entry_s=ENTRY_S) for number in range(1, ORDERS + 1)]
        verdicts = await asyncio.gather(*(desk.insist(each, PATIENCE_S) for each in wishes))
        desk.rest.remove(armed)
        after = await desk.insist(wish(ORDERS + 1, fills=True), PATIENCE_S)
        return wishes, verdicts, here.accepted(), after


@pytest.fixture(scope="module", params=[True, False], ids=["with the private stream", "without it"])
def copies(request, tmp_path_factory):
    return asyncio.run(copied(tmp_path_factory.mktemp("copies"), with_stream=request.param))


def test_a_copied_placement_doubles_nothing_and_nobody_is_lied_to(copies):
    """No id has two orders, and whoever was told something definite was told the truth."""
    wishes, verdicts, accepted, _ = copies
    for each, told in zip(wishes, verdicts, strict=True):
        there = [order["order_id"] for order in accepted.get(each.quantity, [])]
        assert len(there) <= 1
        expected = {"placed": [told.order_id], "not placed": [], "refused": []}.get(told.what, there)
        assert expected == there, told


def test_every_copied_placement_is_told_as_what_it_is(copies):
    """All that Kraken's side said is a refusal of the copy: the order is looked for, with the same key, and found."""
    _, verdicts, _, _ = copies
    assert ["placed"] * ORDERS == [told.what for told in verdicts], verdicts


def test_trading_goes_on_when_the_proxy_is_mended(copies):
    """Some copies' refused nonces in a row do not mean that another program uses the key: it is looked at, and used again."""
    *_, after = copies
    assert after.what == "placed", after
