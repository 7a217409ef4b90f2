"""The account's fee rates, kept for a minute, and what an order would cost at them.

Kraken counts the question and answers it for many pairs at once, and a tier moves once a day at the most: so rates are asked
for when somebody wants to know, and not again within FRESH_S. An estimate is no promise: the fee is the tier's at execution.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal

from execsvc.app.catalog import Catalog
from execsvc.app.worth import Worth
from execsvc.domain import money
from execsvc.domain.account import FeeRate, FeeSchedule
from execsvc.domain.errors import Busy, Declined, ProtocolBroken
from execsvc.domain.instrument import Instrument
from execsvc.domain.spec import FeePreference, OrderSpec
from execsvc.ports import Clock, Statements

FRESH_S = 60.0
ESTIMATE_WAIT_S = 1.0  # a preview does not wait longer for rates: it tells the rest without them
_WIDE = Context(prec=60)


@dataclass(frozen=True)
class FeeEstimate:
    """Rates as fractions, fees in units of the asset if the order is filled whole; None: no price to reckon with."""

    asset: str
    maker_rate: Decimal
    taker_rate: Decimal
    maker_fee: Decimal | None
    taker_fee: Decimal | None


class FeeBook:
    """Rates of one account, each pair's with the time it was read."""

    def __init__(self, statements: Statements, catalog: Catalog, clock: Clock) -> None:
        self._statements = statements
        self._catalog = catalog
        self._clock = clock
        self._rates: dict[str, tuple[float, FeeRate]] = {}  # seconds: when read; at most one a pair that is listed
        self._volume = (Decimal(0), "")

    def __repr__(self) -> str:
        return f"<FeeBook of {len(self._rates)} pairs>"

    async def schedule(self, spellings: Iterable[str], by: float, *, caller: str = "") -> FeeSchedule:
        """Rates of these pairs, in their order; only those not read within FRESH_S are asked for, in one call.

        Raises UNKNOWN_SYMBOL for a pair that is not listed, and what the read raises.
        """
        pairs = self._catalog.all_of(spellings)
        rates = {each.symbol: self._fresh(each.symbol) for each in pairs}
        missing = tuple(each for each in pairs if rates[each.symbol] is None)
        if missing:
            now = self._clock.monotonic()
            told = await self._statements.fees(missing, by, caller=caller)
            self._volume = (told.volume, told.volume_asset)
            self._rates.update((rate.symbol, (now, rate)) for rate in told.rates)
            rates.update((rate.symbol, rate) for rate in told.rates)
        found = tuple(rate for each in pairs if (rate := rates[each.symbol]) is not None)
        return FeeSchedule(found, *self._volume)

    async def estimate(
        self, instrument: Instrument, spec: OrderSpec, reckoned: Worth | None, by: float, *, caller: str = ""
    ) -> FeeEstimate | None:
        """What the order would cost; None when the rates are not known and cannot be had soon: nobody is failed by that."""
        until = min(by, self._clock.monotonic() + ESTIMATE_WAIT_S)
        try:
            schedule = await self.schedule((instrument.symbol,), until, caller=caller)
        except (Busy, Declined, ProtocolBroken):
            return None
        return estimated(schedule.rates[0], instrument, spec, reckoned)

    def _fresh(self, symbol: str) -> FeeRate | None:
        read = self._rates.get(symbol)
        return read[1] if read is not None and self._clock.monotonic() < read[0] + FRESH_S else None


def estimated(rate: FeeRate, instrument: Instrument, spec: OrderSpec, reckoned: Worth | None) -> FeeEstimate:
    """In the quote, unless the order asks for the base; to the decimals that Kraken keeps of a cost, or of a quantity."""
    in_base = spec.fee_preference is FeePreference.BASE
    size = None if reckoned is None else reckoned.notional
    if in_base and reckoned is not None:
        size = spec.base_quantity or (_WIDE.divide(reckoned.notional, reckoned.price) if reckoned.price else None)
    decimals = instrument.quantity_decimals if in_base else instrument.cost_decimals
    return FeeEstimate(
        asset=instrument.base if in_base else instrument.quote,
        maker_rate=rate.maker_rate,
        taker_rate=rate.taker_rate,
        maker_fee=None if size is None else _fee(size, rate.maker_rate, decimals),
        taker_fee=None if size is None else _fee(size, rate.taker_rate, decimals),
    )


def _fee(size: Decimal, rate: Decimal, decimals: int) -> Decimal:
    return money.product(size, rate).quantize(Decimal(1).scaleb(-decimals), context=_WIDE)
