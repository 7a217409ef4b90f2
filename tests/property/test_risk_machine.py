"""Any sequence of placing, filling, ending, doubting, amending and restarting, against a model that adds up anew each time.

The model shares nothing with the house but the figures of the rules. What it says would pass a limit is refused, by a limit;
what it says would not is taken; and the figures told to callers are the model's.
"""

import asyncio
from dataclasses import dataclass, replace
from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from execsvc.domain.account import Fill
from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import ExecsvcError
from execsvc.domain.ids import OrderKey
from execsvc.domain.market import EventTimes, Side
from execsvc.domain.order import Seen, Status, VenueOrder
from execsvc.domain.riskrules import RiskRule, RiskRules
from tests.support.amends import AmendFate, AmendWorld
from tests.support.risks import lifted
from tests.support.simloop import run_sim
from tests.support.venue import BTC_USD, Fate
from tests.support.world import limit, new_disk

D = Decimal
NOTHING = D(0)
ETH_USD = replace(BTC_USD, symbol="ETH/USD", base="ETH", venue_symbols=("ETHUSD",))
PRICES = {"BTC/USD": D("60000.0"), "ETH/USD": D("3000.0")}
LOST, LOST_AMEND = Fate(arrives_s=None, answers_s=None), AmendFate(arrives_s=None, answers_s=None)
# caller, symbol, most open orders, most open notional, most notional a day; None: no such limit.
RULES = (
    ("", "", 4, 1000, 2500),
    ("ann", "", 2, None, None),
    ("", "BTC/USD", None, 500, None),
    ("bob", "ETH/USD", 2, None, 700),
)
NAMES = ("max_open_orders", "max_open_notional", "max_daily_notional")
CALLERS = {name: alike(name, frozenset(Permission), ("main",)) for name in ("ann", "bob")}


def house_rules():
    own = (
        RiskRule(
            caller=caller,
            symbol=symbol,
            **dict(zip(NAMES, (orders, notional and D(notional), day and D(day)), strict=True)),
        )
        for caller, symbol, orders, notional, day in RULES
    )
    return RiskRules((*lifted().rules, *own))


# ---- the model -------------------------------------------------------------------------------------------------------


@dataclass
class Known:
    """One order as its caller knows it. wished: a total that may or may not stand by now."""

    id: str
    caller: str
    symbol: str
    quantity: Decimal
    filled: Decimal = NOTHING
    is_open: bool = True
    doubted: bool = False
    wished: Decimal | None = None

    def left(self):
        most = max(self.quantity, self.wished or D(0))
        return (most - self.filled) * PRICES[self.symbol] if self.is_open else D(0)


class Model:
    """All orders that ever were, and nothing else."""

    def __init__(self):
        self.orders = []

    def used(self, caller, symbol):
        """Open orders, their notional, and the day's, in a scope."""
        scope = [each for each in self.orders if caller in {"", each.caller} and symbol in {"", each.symbol}]
        left = sum((each.left() for each in scope), D(0))
        filled = sum((each.filled * PRICES[each.symbol] for each in scope), D(0))
        return sum(each.is_open for each in scope), left, left + filled

    def breaks(self, order, *, before=None):
        """Whether taking it would pass a limit; of an amend: where it is dearer than the order as it was."""
        others = Model()
        others.orders = [each for each in self.orders if each is not before] + [order]
        for caller, symbol, *limits in RULES:
            if caller in {"", order.caller} and symbol in {"", order.symbol}:
                figures = list(zip(others.used(caller, symbol), limits, strict=True))
                judged = figures if before is None else figures[1:] if order.left() > before.left() else []
                if any(most is not None and figure > most for figure, most in judged):
                    return True
        return False


# ---- both of them ----------------------------------------------------------------------------------------------------


class Both:
    """The house on its disk, and the model beside it."""

    def __init__(self):
        self.disk, self.model, self.here, self.count = new_disk(), Model(), None, 0

    async def start(self):
        old = self.here
        parts = {} if old is None else {"venue": old.venue, "clock": old.clock}
        if old is not None:
            await old.kill()
        self.here = await AmendWorld(self.disk, rules=house_rules(), listed=(BTC_USD, ETH_USD), **parts).start()
        await self.here.risk.restore()

    def pick(self, which, **wanted):
        """One of the open orders that are so; None: there is none."""
        found = [
            each for each in self.model.orders if each.is_open and all(getattr(each, k) == v for k, v in wanted.items())
        ]
        return found[which % len(found)] if found else None

    async def place(self, caller, symbol, size, lost):
        self.count += 1
        quantity = D(size) / PRICES[symbol]
        order = Known(f"c-{self.count}", caller, symbol, quantity.quantize(D("0.0001")), doubted=lost)
        if lost:
            self.here.venue.plan.append(LOST)
        spec = limit(str(order.quantity), str(PRICES[symbol]), symbol=symbol)
        refused = await refusal(self.here.place(order.id, spec, timeout_s=3.0, who=CALLERS[caller]))
        self.here.venue.plan.clear()
        assert self.model.breaks(order) is (refused in NAMES), refused
        assert refused in {"", *NAMES}
        if not refused:
            self.model.orders.append(order)

    async def fill(self, which, part):
        order = self.pick(which, doubted=False)
        if order is None or order.wished is not None:
            return
        self.count += 1
        quantity = ((order.quantity - order.filled) * part / 4).quantize(D("0.00000001"))
        order.filled += quantity
        if order.filled == order.quantity:
            order.is_open = False
        price, now_ns = PRICES[order.symbol], self.here.clock.wall_ns()
        fill = Fill(
            f"T{self.count}", "main", order.caller, "", order.id, order.symbol, Side.BUY, price, quantity, price * quantity,
            (), maker=True, times=EventTimes(now_ns, now_ns),
        )  # fmt: skip
        await self._seen(order, Status.OPEN if order.is_open else Status.FILLED, fill)

    async def end(self, which):
        order = self.pick(which, doubted=False)
        if order is not None and order.wished is None:
            order.is_open = False
            await self._seen(order, Status.CANCELLED)

    async def _seen(self, order, status, fill=None):
        key, store, now_ns = OrderKey("main", order.caller, order.id), self.here.store, self.here.clock.wall_ns()
        stored = await store.get(key)
        report = VenueOrder(stored.venue_order_id, None, status, order.filled, order.filled * PRICES[order.symbol])
        if fill is None:
            await store.record(key, Seen(report), now_ns)
        else:
            await store.record_fill(fill, key, Seen(report), now_ns)

    async def amend(self, which, size, lost):
        order = self.pick(which, doubted=False)
        if order is None or order.wished is not None:
            return
        self.count += 1
        total = max((D(size) / PRICES[order.symbol]).quantize(D("0.0001")), order.filled)
        if total in {order.quantity, order.filled}:
            return
        if lost:
            self.here.exchange.plan.append(LOST_AMEND)
        wanted = replace(order, quantity=total)
        call = self.here.amend(
            f"r-{self.count}", order=order.id, who=CALLERS[order.caller], timeout_s=3.0, base_quantity=str(total)
        )
        refused = await refusal(call)
        self.here.exchange.plan.clear()
        assert self.model.breaks(wanted, before=order) is (refused in NAMES), refused
        assert refused in {"", *NAMES}
        if not refused and lost:
            order.wished = total
        elif not refused:
            order.quantity = total

    async def wait(self):
        """Whatever is in doubt is proved absent."""
        await self.here.clock.sleep(90.0)
        for order in self.model.orders:
            order.is_open = order.is_open and not order.doubted
            order.doubted, order.wished = False, None

    async def _prove(self):
        """A doubt may end while later calls wait for their answers: when it does is the journal's to say, not the limits'."""
        unsettled = {each.key.order for each in await self.here.store.amends.unsettled("main")}
        for order in self.model.orders:
            key = OrderKey("main", order.caller, order.id)
            if order.doubted and (await self.here.store.get(key)).status is Status.NOT_PLACED:
                order.is_open, order.doubted = False, False
            if order.wished is not None and key not in unsettled:
                order.wished = None

    async def agree(self):
        """What callers are told is what the model adds up; nothing is held but amends that are in doubt."""
        await asyncio.sleep(0)
        await self._prove()
        assert self.here.risk.held == sum(each.wished is not None for each in self.model.orders)
        for name, who in CALLERS.items():
            told = {(each.name, each.symbol, each.limit): each.used for each in self.here.risk.usage(who)}
            for caller, symbol, *limits in RULES:
                if caller in {"", name}:
                    for kind, figure, most in zip(NAMES, self.model.used(caller, symbol), limits, strict=True):
                        if most is not None:
                            assert D(told[kind, symbol, str(most)]) == round(figure, 2)


async def refusal(call):
    """The limit or reason it was refused with; empty: it was taken."""
    try:
        await call
    except ExecsvcError as refused:
        return refused.fault.metadata.get("check") or refused.fault.message
    return ""


WHICH, SIZE, ODD = (
    st.integers(0, 9),
    st.sampled_from((30, 60, 120, 240, 300, 480, 600)),
    st.integers(0, 4).map(lambda n: not n),
)
CALLER, SYMBOL = st.sampled_from(sorted(CALLERS)), st.sampled_from(sorted(PRICES))
STEPS = st.one_of(
    st.tuples(st.just("place"), CALLER, SYMBOL, SIZE, ODD),
    st.tuples(st.just("place"), CALLER, SYMBOL, SIZE, ODD),
    st.tuples(st.just("fill"), WHICH, st.integers(1, 4)),
    st.tuples(st.just("end"), WHICH),
    st.tuples(st.just("amend"), WHICH, SIZE, ODD),
    st.tuples(st.just("wait")),
    st.tuples(st.just("start")),
)


@settings(max_examples=120)
@example([("place", each, "BTC/USD", 30, True) for each in ("ann", "ann", "bob", "bob")])
@example([*([("place", "bob", "BTC/USD", 30, False)] * 4), *(("amend", n, 120, True) for n in range(4))])
@given(st.lists(STEPS, max_size=25))
def test_no_sequence_passes_a_limit_and_nothing_below_one_is_refused(steps):
    """Step by step, the house and the model say the same."""

    async def main():
        both = Both()
        await both.start()
        for name, *arguments in steps:
            await getattr(both, name)(*arguments)
            await both.agree()
        await both.here.kill()

    run_sim(main())
