"""KrakenRates of one key as its tests want it: in virtual time, over a breaker and a counter that the test may set."""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import NoOpTracer

from execsvc.kraken.breaker import Breaker
from execsvc.kraken.costs import TIERS
from execsvc.kraken.counters import Counter
from execsvc.kraken.rates import Counting, KrakenRates
from execsvc.telemetry import Telemetry
from tests.support.simloop import SimClock, run_sim


class Watched:
    """A telemetry whose figures can be read."""

    def __init__(self):
        self._reader = InMemoryMetricReader()
        self.telemetry = Telemetry(NoOpTracer(), MeterProvider([self._reader]).get_meter("t"))

    def points(self, name):
        data = self._reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        return [
            point
            for scope in scopes
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


class Rig:
    """The rates of one account, and what they stand on."""

    def __init__(self, tier="starter", *, weights=None, rest_costs=None):
        self.clock = SimClock()
        self.breaker = Breaker()
        self.rest = Counter(TIERS[tier].rest_max, TIERS[tier].rest_decay)
        self.watched = Watched()
        self.rates = KrakenRates(
            key_label="key-1",
            counting=Counting(tier, weights or {}, rest_costs or {}),
            breaker=self.breaker,
            rest=self.rest,
            clock=self.clock,
            telemetry=self.watched.telemetry,
        )

    def pair(self, symbol="BTC/USD"):
        return self.rates.pair(symbol)

    def level(self, symbol="BTC/USD"):
        return self.pair(symbol).counter.level(self.clock.monotonic())

    def use(self, points, symbol="BTC/USD"):
        """So many points of the pair are spent now."""
        spend(self.pair(symbol).counter, points, self.clock.monotonic())


def spend(counter, points, now):
    counter.land(counter.hold(points, now), now, now)


def with_rates(scenario, *args, **parts):
    """Runs `scenario(rig)` in virtual time; a plain function will do."""

    async def main():
        result = scenario(Rig(*args, **parts))
        return await result if hasattr(result, "__await__") else result

    return run_sim(main())
