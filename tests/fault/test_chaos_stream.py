"""The private stream goes and comes back while orders are placed: the journal catches up, and nothing else is concluded.

Real processes, one gateway behind fault proxies. The order path itself under every toxic is test_chaos_matrix.py.
"""

import asyncio

import pytest

from tests.support.faultproxy_rig import hall, until, wish
from tests.support.toxics import Dose, Down, Latency, Timeout

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

OUTAGE_S = 3.2


async def through_an_outage(home, toxic):
    """Orders that fill while the stream says nothing, and one after it came back: verdicts, journal, V before and after."""
    async with hall(home) as here:
        desk = await here.open_desk("desk")
        assert await until(lambda: desk.links["ws"].open_connections, 10.0)
        before = await desk.visibility_s()
        armed = desk.links["ws"].add(Dose(toxic))
        verdicts = [await desk.insist(wish(number, fills=True), 10.0) for number in range(1, 4)]
        await asyncio.sleep(OUTAGE_S)
        desk.links["ws"].remove(armed)
        await desk.journal(here.exchange)
        verdicts.append(await desk.insist(wish(4, fills=True), 10.0))
        return verdicts, await desk.journal(here.exchange), here.accepted(), (before, await desk.visibility_s())


@pytest.mark.parametrize("toxic", [Down(), Timeout(), Latency(OUTAGE_S)], ids=lambda toxic: type(toxic).__name__)
def test_the_journal_catches_up_after_the_stream_was_away(toxic, tmp_path):
    """Cut off, stalled or merely late: the callers are answered all the same, and every fill is found in the end."""
    verdicts, journal, accepted, _ = asyncio.run(through_an_outage(tmp_path, toxic))
    assert [told.what for told in verdicts] == ["placed"] * 4
    assert {name: order.status.name for name, order in journal.items()} == {f"chaos-{n}": "FILLED" for n in range(1, 5)}
    assert sorted(told.order_id for told in verdicts) == sorted(
        order["order_id"] for orders in accepted.values() for order in orders
    )


def test_an_outage_of_the_stream_is_no_lag_of_the_exchange(tmp_path):
    """Orders answered while the stream was down are first seen when it is back: that says nothing about V."""
    *_, (before, after) = asyncio.run(through_an_outage(tmp_path, Down()))
    assert before == after
