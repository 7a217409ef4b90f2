"""The limits of one account: reserves, judges and tells what they have to say to an order, before its intent is written.

A reservation comes before the first await (app/riskhold.py), so orders that come in at once cannot pass a limit together.
Missing or stale data refuses (promises.md P7). Cancels never ask here: their pace is watched, and that is all. What a rule is
and how a bound is judged is domain/riskrules.py's and domain/risk.py's.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from functools import lru_cache, partial
from typing import TypeVar

from execsvc.app.catalog import Catalog
from execsvc.app.feeds import Feeds
from execsvc.app.riskbook import Grown
from execsvc.app.riskhold import Hold, carried
from execsvc.app.riskpace import Bucket, Pace
from execsvc.app.riskprices import Prices
from execsvc.app.riskusage import Usage
from execsvc.domain import money, risk, riskwords
from execsvc.domain.caller import Caller
from execsvc.domain.errors import ExecsvcError, Fault, Reason, error_of
from execsvc.domain.ids import OrderKey
from execsvc.domain.instrument import Instrument
from execsvc.domain.order import Order
from execsvc.domain.risk import Seen, Verdict, Wish
from execsvc.domain.riskrules import ADDING_UP, DUPLICATES, Bound, RiskRule, RiskRules, RiskScope, bounds_for
from execsvc.domain.spec import OrderSpec
from execsvc.domain.story import Step, StepKind
from execsvc.ports import Clock, Store, Tasks
from execsvc.telemetry import Telemetry

BOUNDS_MAX = 4096  # of callers and pairs: no order is looked up in the rules anew
LOGGED_MAX = 1024
LOG_EVERY_S = 1.0  # of one limit and caller: a loop that repeats itself fills no log
RATE = "max_orders_per_s"
_SIZED = frozenset({"max_order_notional", "max_order_quantity", "max_volume_share"})
_BY_MARKET = frozenset({"max_limit_distance", "max_marketable_distance", "max_volume_share", "max_order_quantity"})
_WIDE = Context(prec=60)
T = TypeVar("T")
# Told in the log: the event, and its facts.
Observe = Callable[[str, Mapping[str, str]], None]


@dataclass(frozen=True)
class CallerLimit:
    """One limit of a caller; the unit of its figures is what its name says. used: empty where nothing adds up in it.

    caller: whose orders together it is for; empty: it is the same for every caller, or one for all of them together.
    """

    name: str
    limit: str
    symbol: str = ""
    used: str = ""
    shadow: bool = False
    caller: str = ""


class RiskDesk:
    """Applies the rules to the orders of one account; `note` keeps a step of an order's story, set by the house."""

    def __init__(
        self,
        *,
        account: str,
        rules: RiskRules,
        store: Store,
        catalog: Catalog,
        feeds: Feeds,
        clock: Clock,
        tasks: Tasks,
        telemetry: Telemetry,
        observe: Observe,
    ) -> None:
        self._account = account
        self._clock = clock
        self._tasks = tasks
        self._telemetry = telemetry
        self._observe = observe
        self._catalog = catalog
        self._store = store
        self._prices = Prices(catalog, feeds, clock)
        self._pace = Pace()
        self._logged: OrderedDict[tuple[str, str], float] = OrderedDict()
        self.note: Callable[[OrderKey, Step], None] = lambda _key, _step: None
        self._spelled = not any(rule.symbol for rule in rules.rules)
        self._follow(rules)

    def _follow(self, rules: RiskRules) -> None:
        self._rules = rules
        self._usage = Usage(self._account, rules, self._store, self._prices, self._clock)
        self._bounds = lru_cache(maxsize=BOUNDS_MAX)(partial(bounds_for, rules, self._account))

    def __repr__(self) -> str:
        return f"<RiskDesk {self._account} {self._usage!r} {self._prices!r}>"

    @property
    def ready(self) -> bool:
        """Whether what is used is known; until then `restore` is waited for."""
        return self._spelled and self._usage.ready

    @property
    def held(self) -> int:
        """Wishes that are counted and not settled: none when nothing is under way."""
        return self._usage.wishes

    async def restore(self) -> None:
        """Once, before the first order: reads back what is used. Raises Busy when the store fails or no pair is known."""
        if not self._spelled:
            self._follow(replace(self._rules, rules=tuple(map(self._canonical, self._rules.rules))))
            self._spelled = True
        await self._usage.restore()

    def _canonical(self, rule: RiskRule) -> RiskRule:
        """A rule's pair as orders have it. Of a pair that is not listed there are no orders: a person is told."""
        if not rule.symbol:
            return rule
        try:
            return replace(rule, symbol=self._catalog.instrument(rule.symbol).symbol)
        except ExecsvcError as unknown:
            if unknown.reason is not Reason.UNKNOWN_SYMBOL:
                raise
            self._observe("risk.no_such_pair", {"symbol": rule.symbol, "account": self._account})
            return rule

    async def arrive(self, missing: Sequence[str], by: float) -> bool:
        """Whether prices that were missing, being new, came in; waits for them a moment, to monotonic `by`."""
        return bool(missing) and await self._prices.arrive(missing, by)

    # ---- orders and amends ------------------------------------------------------------------------------------------

    def reserve(self, who: Caller, key: OrderKey, instrument: Instrument, spec: OrderSpec) -> Hold:
        """What the order takes of every limit is taken. Raises RISK_REFUSED or CALLER_QUOTA, and then nothing is."""
        return self._reserved(who, key, instrument, Wish(spec))

    def reserve_amend(self, who: Caller, order: Order, instrument: Instrument, wished: OrderSpec) -> Hold:
        """What the amend would add. Raises as `reserve`; what makes nothing worse is not refused."""
        return self._reserved(who, order.key, instrument, Wish(wished, order.spec))

    def recheck(self, who: Caller, hold: Hold) -> None:
        """After a wait, the hold being kept: the market may have moved, a loss been reached. Raises as `reserve`."""
        bounds = self._bounds_of(who, hold.key, hold.wish)
        self._demand(self._judged(bounds, hold.wish, hold.instrument, hold.grown))

    async def carried(self, begun: Awaitable[T], holds: Sequence[Hold], placed: Callable[[T], Sequence[bool]]) -> T:
        """What became durable; the reservations end with it, see app/riskhold.py."""
        return await carried(begun, holds, placed, self._tasks)

    def look(self, who: Caller, instrument: Instrument, spec: OrderSpec) -> tuple[Verdict, ...]:
        """Every verdict on such an order, nothing being taken."""
        key, wish, token = OrderKey(self._account, who.name, ""), Wish(spec), object()
        bounds = self._bounds_of(who, key, wish)
        grown = self._hold(key, token, wish, bounds)
        try:
            verdicts = self._judged(bounds, wish, instrument, grown)
            paced, _ = self._paced(who.name, bounds, wish)
            twins = self._twins(key, bounds, wish)
        finally:
            self._usage.let_go(key, token)
        for each in verdicts:
            self._prices.follow(each.missing)
        return (*verdicts, *paced, *twins)

    def usage(self, who: Caller) -> tuple[CallerLimit, ...]:
        """The caller's limits, on whatever pair, and what is used of them."""
        return tuple(
            CallerLimit(
                each.name,
                money.text(each.limit),
                each.scope.symbol,
                self._used_text(each),
                each.shadow,
                each.scope.caller,
            )
            for each in self._bounds(who.name, "", who.grant(self._account))
        )

    # ---- telling ----------------------------------------------------------------------------------------------------

    def refused(self, fault: Fault) -> None:
        """A refusal that a caller is told of counts, by the limit that it names."""
        check = fault.metadata.get("check", "")
        if check:
            self._telemetry.risk_refusals.add(1, {"check": check, "shadow": "false"})

    def cancelled(self, who: Caller) -> None:
        """A cancel of the caller goes; one that is faster than the pace is counted."""
        if self._pace.cancelled(who.name, self._clock.monotonic()):
            self._telemetry.fast_cancels.add(1)

    def _tell(self, hold: Hold) -> None:
        """What was only observed: in the metric, the order's story and, once a second, the log."""
        for each in hold.observed:
            self._telemetry.risk_refusals.add(1, {"check": each.name, "shadow": "true"})
            step = Step(self._clock.wall_ns(), StepKind.CHECKED, f"Only observed: {each.message}.", verdict="observed")
            self.note(hold.key, step)
            self._log(hold.key, each)

    def _log(self, key: OrderKey, observed: Verdict) -> None:
        now, what = self._clock.monotonic(), (key.caller, observed.name)
        if now - self._logged.get(what, float("-inf")) < LOG_EVERY_S:  # seconds
            return
        self._logged[what] = now
        self._logged.move_to_end(what)
        while len(self._logged) > LOGGED_MAX:
            self._logged.popitem(last=False)
        self._observe(
            "risk.observed",
            {"check": observed.name, "caller": key.caller, "order": key.client_order_id, "what": observed.message},
        )

    # ---- judging ----------------------------------------------------------------------------------------------------

    def _reserved(self, who: Caller, key: OrderKey, instrument: Instrument, wish: Wish) -> Hold:
        bounds = self._bounds_of(who, key, wish)
        token = object()
        hold = Hold(key, wish, instrument, settle=lambda: self._usage.let_go(key, token), tell=self._tell)
        grown = hold.grown = self._hold(key, token, wish, bounds)
        try:
            verdicts = self._judged(bounds, wish, instrument, grown)
            paced, buckets = self._paced(who.name, bounds, wish)
            twins = self._twins(key, bounds, wish)
            self._demand((*verdicts, *paced, *twins))
        except BaseException:
            hold.release()
            raise
        hold.observed = tuple(each for each in (*verdicts, *paced, *twins) if not each.passed)
        self._take(hold, buckets, guarded=any(each.name == DUPLICATES for each in bounds))
        return hold

    def _take(self, hold: Hold, buckets: Iterable[Bucket], *, guarded: bool) -> None:
        now, key = self._clock.monotonic(), hold.key
        hold.undo += [bucket.take(now) for bucket in buckets]
        if guarded and hold.wish.before is None:
            hold.undo.append(self._pace.twins(key.caller).note(hold.wish.spec, key.client_order_id, now))

    def _bounds_of(self, who: Caller, key: OrderKey, wish: Wish) -> tuple[Bound, ...]:
        """Whose order it is counts, and what whoever asks was granted.

        Who amends another's order is held to its own limits of one order too, and goes at its own pace.
        """
        symbol, grant = wish.spec.symbol, who.grant(self._account)
        bounds = self._bounds(key.caller, symbol, grant)
        if who.name == key.caller:
            return bounds
        asks = (each for each in self._bounds(who.name, symbol, grant) if each.name not in ADDING_UP)
        return (*(each for each in bounds if each.name != RATE), *asks)

    def _hold(self, key: OrderKey, token: object, wish: Wish, bounds: Iterable[Bound]) -> Mapping[RiskScope, Grown]:
        if not any(each.name in ADDING_UP for each in bounds):
            return {}
        worth = self._prices.worth(wish.spec)
        return self._usage.hold(key, token, wish.spec, None if worth is None else worth.price)

    def _judged(
        self, bounds: Iterable[Bound], wish: Wish, instrument: Instrument, grown: Mapping[RiskScope, Grown]
    ) -> tuple[Verdict, ...]:
        seen = self._seen(bounds, wish, instrument)
        return risk.judge(bounds, wish, seen, lambda bound: self._usage.used(bound, grown))

    def _demand(self, verdicts: Iterable[Verdict]) -> None:
        told = tuple(verdicts)
        fault = risk.refusal(told)
        if fault is None:
            return
        missing = [pair for each in told if each.refuses for pair in each.missing]
        if missing and self._prices.follow(missing):
            words = f"{fault.message}, it is followed from now on: try again in a moment"
            fault = replace(fault.with_metadata(missing=", ".join(dict.fromkeys(missing))), message=words)
        raise error_of(fault)

    def _seen(self, bounds: Iterable[Bound], wish: Wish, instrument: Instrument) -> Seen:
        """Only what some bound asks for is looked up."""
        names = {each.name for each in bounds}
        market = self._prices.market(instrument.symbol) if names & _BY_MARKET else None
        if not names & (_SIZED | ADDING_UP):
            return Seen(instrument.symbol, market, None, None)
        spec = wish.spec
        worth = self._prices.worth(spec)
        quantity = spec.base_quantity
        if spec.quote_quantity is not None and market is not None:
            quantity = _WIDE.divide(spec.quote_quantity, market.ask)
        if worth is None:
            return Seen(instrument.symbol, market, None, quantity, (instrument.symbol,), self._grows(wish, None))
        dollars = self._prices.dollars(worth.notional, instrument.quote)
        missing = () if dollars is not None else (f"{instrument.quote}/USD",)
        return Seen(instrument.symbol, market, dollars, quantity, missing, self._grows(wish, worth.notional))

    def _grows(self, wish: Wish, notional: Decimal | None) -> bool:
        if wish.before is None:
            return True
        if wish.only_eases:
            return False
        before = self._prices.worth(wish.before)
        return before is None or notional is None or notional > before.notional

    def _paced(self, caller: str, bounds: Iterable[Bound], wish: Wish) -> tuple[list[Verdict], list[Bucket]]:
        """Verdicts of the caller's buckets, and those with room. What only makes an order smaller is never held back."""
        if wish.shrinks:
            return [], []
        now, verdicts = self._clock.monotonic(), []
        free: dict[int, Bucket] = {}
        for bound in bounds:
            if bound.name == RATE:
                bucket = self._pace.bucket(caller, bound)
                wait_s = bucket.wait_s(now)
                verdicts.append(_pace_verdict(caller, bound, wait_s))
                if not wait_s:  # a limit that another rule only watches has the same one
                    free[id(bucket)] = bucket
        return verdicts, [*free.values()]

    def _twins(self, key: OrderKey, bounds: Iterable[Bound], wish: Wish) -> list[Verdict]:
        if wish.before is not None:
            return []
        now = self._clock.monotonic()
        verdicts = []
        for bound in bounds:
            if bound.name == DUPLICATES:
                since = now - float(bound.limit) / 1000  # seconds
                twin = self._pace.twin_of(key.caller, wish.spec, key.client_order_id, since)
                words = f"the same order came as {twin!r} within {bound.limit} ms" if twin else "no order is its twin"
                verdicts.append(risk.verdict(bound, "", words, passed=not twin))
        return verdicts

    def _used_text(self, bound: Bound) -> str:
        if bound.name not in ADDING_UP:
            return ""
        used = self._usage.used(bound, {}).value
        if used is None:
            return ""
        return money.text(used) if bound.name == "max_open_orders" else riskwords.cents(used)


def _pace_verdict(caller: str, bound: Bound, wait_s: float) -> Verdict:
    words = f"caller {caller} may place {riskwords.orders(bound.limit)} a second"
    if not wait_s:
        return risk.verdict(bound, "", f"{words}: there is room", passed=True)
    message = f"{words}: the next one may go in {wait_s:.3f} s"
    return risk.verdict(bound, "", message, passed=False, retry_after_s=wait_s)
