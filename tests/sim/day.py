"""What else a run's day holds besides single orders, drawn from its seed: batches, cancels of many, switches, streams, hands.

Nothing here acts: crowd.py and hands.py carry it out. A plain day has none of it, and market and limit orders only: some
accidents need many alike days to happen.
"""

from dataclasses import dataclass

from tests.support.entropy import stream

_RICH, _AMENDS = (0.75, 1.0), (0.2, 0.8)
_BATCH_MAX = 4
_MARGIN = 0.1
CLEARS = ("own", "everybody", "account", "list")


@dataclass(frozen=True)
class Day:
    """Shares and plans.

    rich: share of orders that may be of any kind; amends: share of open orders that are changed; kinds: of which kinds these
    orders are: "any", "patient" ones that lie far from the market, so that much can be done to each, or on "margin".
    batch: how many of the first orders come in one call, when; clears: when cancels of many are asked for, and of what kind;
    own, account: when switches are set first; streams: when streams are opened that cancel when they are lost; hands: how
    often a second a person does something at the exchange.
    """

    rich: float = 0.0
    amends: float = 0.0
    kinds: str = "any"
    batch: tuple[int, float] = (0, 0.0)
    clears: tuple[tuple[float, str], ...] = ()
    own: tuple[float, ...] = ()
    account: tuple[float, ...] = ()
    streams: tuple[float, ...] = ()
    hands: float = 0.0


PLAIN = Day()


def day_of(seed, lasts_s, *, orders, plain):
    """The plan of a day that is to last so long."""
    chance = stream(seed, "day")
    if plain or chance.random() < 0.2:
        return PLAIN
    has = {name: chance.random() < share for name, share in _SHARES.items()}
    when = {name: lasts_s * chance.random() for name in _SHARES}
    count = chance.randrange(2, _BATCH_MAX + 1)
    kind = chance.choice(CLEARS)
    return Day(
        rich=chance.uniform(*_RICH),
        amends=1.0 if has["patient"] else chance.uniform(*_AMENDS),
        kinds="patient" if has["patient"] else "margin" if chance.random() < _MARGIN else "any",
        batch=(min(count, orders), 0.5 * when["batch"]) if has["batch"] and orders > 1 else (0, 0.0),
        clears=((when["clear"], kind),) if has["clear"] else (),
        own=(0.5 * when["own"],) if has["own"] else (),
        account=(0.5 * when["account"],) if has["account"] else (),
        streams=(0.5 * when["stream"],) if has["stream"] else (),
        hands=0.3 + 0.7 * chance.random() if has["hands"] else 0.0,
    )


_SHARES = {
    "batch": 0.35,
    "clear": 0.3,
    "own": 0.25,
    "account": 0.15,
    "stream": 0.25,
    "hands": 0.3,
    "patient": 0.25,
}
