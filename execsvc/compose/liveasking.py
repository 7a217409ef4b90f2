"""Asks the exchange what the live check wants to know: its clock, its pairs, the key, an order on trial, the private stream.

An order on trial is AddOrder with validate=true, made by an encoder that cannot leave that out (kraken/asking.py). Every step
has an end in time; one that fails leaves a reason, and the others go on.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from execsvc.app.livefacts import AccountFacts, StreamLook, Trial
from execsvc.compose.marketside import MarketSide
from execsvc.domain import money
from execsvc.domain.errors import ExecsvcError
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import Beat, LinkDown, Side
from execsvc.domain.order import UNRESOLVED, Status
from execsvc.domain.spec import OrderSpec, OrderType
from execsvc.kraken import faults
from execsvc.kraken.private import KrakenPrivate
from execsvc.ports import Clock, ClockReading, OrdersSnapshot, PrivateVenue, Store

STEP_S = 10.0
FAR = Decimal("0.5")  # of the best bid: nobody would sell there


@dataclass(frozen=True)
class ExchangeFacts:
    """The public side. pairs: None for one that is not known; prices: of the best bid."""

    silent: str = ""
    mode: str = ""
    clock: ClockReading | None = None
    pairs: Mapping[str, Instrument | None] = field(default_factory=dict)
    prices: Mapping[str, Decimal] = field(default_factory=dict)


async def ask_exchange(shared: MarketSide, pairs: tuple[str, ...], clock: Clock) -> ExchangeFacts:
    """Its mode, its clock, the pairs and their prices; what it does not answer is missing, with the reason."""
    found = ExchangeFacts()
    try:
        async with clock.timeout_at(clock.monotonic() + STEP_S):
            await shared.catalog.refresh()
        listed = {pair: _listed(shared, pair) for pair in pairs}
        known = tuple(instrument for instrument in listed.values() if instrument is not None)
        found = replace(found, pairs={_name(pair, instrument): instrument for pair, instrument in listed.items()})
        found = replace(found, clock=await shared.public.clock(clock.monotonic() + STEP_S))
        found = replace(found, mode=(await shared.public.mode(clock.monotonic() + STEP_S)).value)
        tickers = await shared.public.tickers(known, clock.monotonic() + STEP_S) if known else ()
        prices = {each.symbol: each.bid_price or each.last_price for each in tickers}
        return replace(found, prices={symbol: price for symbol, price in prices.items() if price is not None})
    except TimeoutError:
        return replace(found, silent="the exchange did not answer in time")
    except ExecsvcError as failure:
        return replace(found, silent=failure.fault.message)


def _listed(shared: MarketSide, pair: str) -> Instrument | None:
    try:
        return shared.catalog.instrument(pair)
    except ExecsvcError:
        return None


def _name(pair: str, instrument: Instrument | None) -> str:
    return pair if instrument is None else instrument.symbol


class AccountAsking:
    """The private side of one account."""

    def __init__(self, account: str, venue: PrivateVenue, store: Store, clock: Clock) -> None:
        self._account = account
        self._venue = venue
        self._store = store
        self._clock = clock

    def __repr__(self) -> str:
        return f"<AccountAsking {self._account}>"

    async def facts(self, exchange: ExchangeFacts) -> AccountFacts:
        """Key first, as a start does it; an order on trial and the stream only with a key that answered."""
        unresolved = await self._store.in_status(self._account, UNRESOLVED)
        self._venue.resume((), looks_ran=any(order.status is Status.IN_DOUBT for order in unresolved))
        try:
            check = await self._venue.check_key(self._by())
        except ExecsvcError as failure:
            refused = faults.says_nonce(failure.fault)
            return AccountFacts(self._account, unanswered=failure.fault.message, nonces_refused=refused)
        trials = [
            await self._trial(instrument, exchange) for instrument in exchange.pairs.values() if instrument is not None
        ]
        stream = await self._stream()
        return AccountFacts(
            self._account,
            check=check,
            tier_problems=tuple(self._venue.rates.problems),
            trials=tuple(trials),
            stream=stream,
        )

    def _by(self) -> float:
        return self._clock.monotonic() + STEP_S

    async def _trial(self, instrument: Instrument, exchange: ExchangeFacts) -> Trial:
        price = exchange.prices.get(instrument.symbol)
        if price is None or not isinstance(self._venue, KrakenPrivate):
            return Trial(instrument.symbol, "", unasked="its price is not known, so no order can be made up")
        spec = smallest(instrument, price)
        words = f"buy {money.text(spec.base_quantity or money.ZERO)} at {money.text(spec.limit_price or money.ZERO)}"
        try:
            objection = await self._venue.asking.objection(spec, instrument, self._by(), "")
        except ExecsvcError as failure:
            return Trial(instrument.symbol, words, unasked=failure.fault.message)
        return Trial(instrument.symbol, words, objection)

    async def _stream(self) -> StreamLook:
        """From the token to the first heartbeat after the snapshot, or to whatever ends the link."""
        pictured, events = False, self._venue.events()
        try:
            async with self._clock.timeout_at(self._by()):
                async for event in events:
                    if isinstance(event, LinkDown):
                        return StreamLook(pictured, beat=False, why=event.why)
                    pictured = pictured or isinstance(event, OrdersSnapshot)
                    if pictured and isinstance(event, Beat):
                        return StreamLook(pictured=True, beat=True)
        except TimeoutError:
            return StreamLook(pictured, beat=False)
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        return StreamLook(pictured, beat=False)


def smallest(instrument: Instrument, bid: Decimal) -> OrderSpec:
    """The smallest limit buy that the pair allows, far below its market, that must not take."""
    price = _steps(bid * FAR, instrument.price_increment, ROUND_FLOOR)
    least = max(instrument.min_quantity, instrument.min_cost / price)
    quantity = _steps(least, instrument.quantity_increment, ROUND_CEILING)
    return OrderSpec(instrument.symbol, Side.BUY, quantity, OrderType.LIMIT, price, post_only=True)


def _steps(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    return max(step, (value / step).to_integral_value(rounding) * step)
