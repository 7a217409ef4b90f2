"""`python -m tests.sim.saturation`: minutes of demand that fills both of Kraken's counters, in virtual time, for each tier.

The product's own rooms, calm weather, and the paper exchange, which counts by itself and lets its counters sink in steps.
Never told off, and yet nearly all used: a limiter that sends nothing would pass the first alone. The callers come when the
gateway has been quiet for a while: at its start it counts with what an earlier life may have used.
"""

import argparse
import asyncio
import sys
from dataclasses import dataclass, replace

from tests.sim import market
from tests.sim.runs import quiet, say
from tests.sim.saturation_demand import everybody, makers
from tests.sim.weather import CALM
from tests.sim.world import World

TIERS = ("starter", "intermediate", "pro")
MINUTES = 10.0
LEAST_USED = 0.95
QUIET_S = 60.0
JITTER = replace(CALM, latency_s=(0.008, 0.03))
_SEEDS_EACH = 6  # market.tier_of goes round


@dataclass(frozen=True)
class Gauge:
    """One counter of the exchange's since the callers came."""

    used: float
    peak: float
    maximum: float
    refused: int


@dataclass(frozen=True)
class Saturated:
    """What came of one tier. `counts`: what callers heard and the exchange received, by name."""

    tier: str
    calls: Gauge
    engine: Gauge
    open_refused: int
    counts: dict[str, int]
    findings: tuple

    @property
    def told_off(self):
        """How often the exchange refused something for a counter of its own, by which."""
        each = {"calls": self.calls.refused, "engine": self.engine.refused, "open orders": self.open_refused}
        return {name: count for name, count in each.items() if count}

    def heard(self, what):
        """How often callers heard what begins so."""
        return sum(count for name, count in self.counts.items() if name.startswith(what))


class Saturation(World):
    """One gateway of one tier, and more callers than it may serve."""

    def __init__(self, tier, seed, minutes, weather):
        number = next(each for each in range(_SEEDS_EACH) if market.tier_of(each) == tier)
        super().__init__(seed * _SEEDS_EACH + number, orders=0)
        self.tier = tier
        self.then = weather
        self.lasts_s = 60 * minutes

    def run(self):
        """Plays it."""
        try:
            self.loop.run_until_complete(self._play())
            return self._outcome()
        finally:
            self._close()

    async def _play(self):
        self.open()
        await self._until_open()
        await asyncio.sleep(QUIET_S)
        self.exchange.venue.quotas.restart(self.wire.now_ns, {})
        self.weather = self.then
        self.start(makers(self))
        for caller in everybody(self):
            self.gateway.process.run(caller.live(), caller.name)
        await asyncio.sleep(self.lasts_s)

    def _figures(self):
        venue, now = self.exchange.venue, self.wire.now_ns
        (pair_id,) = venue.listings
        open_now = len(venue.orders.open_ones())
        return (
            venue.quotas.call_figures(venue.key.api_key, now),
            venue.quotas.pair_figures(pair_id, now, open_orders=open_now),
        )

    def _outcome(self):
        calls, engine = self._figures()
        for record in self.exchange.traffic.calls:
            self.counts[f"sent {record.call}"] += 1
        return Saturated(
            tier=self.tier,
            calls=_gauge(calls),
            engine=_gauge(engine),
            open_refused=engine["open_refused"],
            counts=dict(self.counts),
            findings=tuple(self.findings),
        )


def _gauge(figures):
    return Gauge(
        figures["utilisation"], float(bytes(figures["peak"])), float(bytes(figures["max"])), figures["refused"]
    )


def saturate(tier, *, minutes=MINUTES, seed=0, weather=JITTER):
    """One tier's outcome. The weather is such from when the callers come."""
    with quiet():
        return Saturation(tier, seed, minutes, weather).run()


# ---- for people --------------------------------------------------------------------------------------------------

COLUMNS = (
    "tier", "calls", "orders", "cancels", "reads", "refused by us", "by the exchange", "REST used", "engine used",
    "REST peak", "engine peak",
)  # fmt: skip


def row(it):
    """One line of the table."""
    return (
        it.tier,
        it.heard("sent "),
        it.heard("sent AddOrder"),
        it.heard("sent CancelOrder"),
        sum(it.heard(f"sent {name}") for name in ("BalanceEx", "TradesHistory", "QueryOrders")),
        it.heard("held back") + it.heard("crowded") + it.heard("read LOCAL_RATE_LIMITED"),
        sum(it.told_off.values()),
        f"{it.calls.used:.1%}",
        f"{it.engine.used:.1%}",
        f"{it.calls.peak:.2f}/{it.calls.maximum:g}",
        f"{it.engine.peak:.2f}/{it.engine.maximum:g}",
    )


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.sim.saturation", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of virtual time, measured")
    parser.add_argument("--tier", choices=TIERS, help="this one alone")
    parser.add_argument("--seed", type=int, default=0, help="another run of the same kind")
    parser.add_argument("--verbose", action="store_true", help="all that was counted")
    given = parser.parse_args()
    outcomes = []
    say("  ".join(f"{name:>{_width(name)}}" for name in COLUMNS))
    for tier in (given.tier,) if given.tier else TIERS:
        it = saturate(tier, minutes=given.minutes, seed=given.seed)
        outcomes.append(it)
        say("  ".join(f"{figure!s:>{_width(name)}}" for name, figure in zip(COLUMNS, row(it), strict=True)))
        if given.verbose:
            for name in sorted(it.counts):
                say(f"    {name}: {it.counts[name]}")
        for finding in it.findings:
            say(f"    {finding}")
    return 1 if any(each.told_off or each.findings or _idle(each) for each in outcomes) else 0


def _idle(it):
    return min(it.calls.used, it.engine.used) < LEAST_USED


def _width(name):
    return max(12, len(name))


if __name__ == "__main__":
    sys.exit(main())
