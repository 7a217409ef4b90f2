"""The whole door on a real loopback socket: real use cases and the store's twin, with an exchange that a test scripts."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal

import grpc
from execsvc_api.v1 import account_service_pb2_grpc as account_stub
from execsvc_api.v1 import admin_service_pb2_grpc as admin_stub
from execsvc_api.v1 import market_data_service_pb2_grpc as market_stub
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders
from execsvc_api.v1 import order_service_pb2_grpc as order_stub
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2
from opentelemetry import metrics, trace

from execsvc.app.account import AccountReads
from execsvc.app.catalog import Catalog
from execsvc.app.explain import Explain
from execsvc.app.feeds import Feeds
from execsvc.app.fees import FeeBook
from execsvc.app.house import Terms as HouseTerms
from execsvc.app.house import house
from execsvc.app.limits import AccountLimits
from execsvc.app.market import MarketData
from execsvc.app.orders import OrderFeed
from execsvc.app.overview import About, Overview
from execsvc.app.preview import Preview
from execsvc.app.standing import Phase, Standing
from execsvc.domain.account import AssetAmount, Balance, Fill
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.ids import OrderKey
from execsvc.domain.instrument import Asset, AssetStatus
from execsvc.domain.market import (
    BookSeen,
    BookTopic,
    BookView,
    Candle,
    EventTimes,
    Level,
    LinkUp,
    Side,
    Ticker,
    TickerSeen,
    Trade,
    TradePage,
    VenueMode,
)
from execsvc.ports import ClockReading, LaneState
from execsvc.rpc import server
from execsvc.rpc.callers import LocalCaller
from execsvc.rpc.services import AccountCases, Services
from execsvc.runtime.clock import RealClock
from execsvc.runtime.entropy import RealEntropy
from execsvc.store.memory import MemoryStore
from execsvc.telemetry import Telemetry
from tests.support.risks import lifted, risk_desk
from tests.support.simloop import SimTasks
from tests.support.statements import ScriptedStatements
from tests.support.venue import BTC_USD, ScriptedVenue
from tests.support.world import new_disk

ETH_USD = replace(BTC_USD, symbol="ETH/USD", base="ETH", venue_symbols=("ETHUSD", "XETHZUSD"))
EPOCH = "epoch-1"
VENUE_FLOOR_S = 0.2  # a placement then needs 0.4 s, so that tests of doubt need not wait long
ONE = Decimal(1)


class Feed:
    """The port's double: the test puts events in, and reads what is wished for."""

    def __init__(self):
        self.queue = asyncio.Queue()
        self.topics = frozenset()
        self.read = 0

    def want(self, topics):
        self.topics = topics

    def renew(self, topic):
        raise AssertionError("nobody renews here")

    async def events(self):
        while True:
            event = await self.queue.get()
            yield event
            self.read += 1


class PublicStage:
    """Market data as a test sets it; `silent` answers nothing for long, `patient` gives up when the caller's time is."""

    def __init__(self, clock):
        self._clock = clock
        self.listed = [BTC_USD, ETH_USD]
        self.feeds = []
        self.silent = self.patient = False
        self.asked = []
        self.failure = None

    async def instruments(self):
        return tuple(self.listed)

    async def assets(self):
        return tuple(Asset(code, AssetStatus.ENABLED, 10, 5, None, f"X{code}") for code in ("USD", "BTC", "ETH"))

    async def tickers(self, instruments, by):
        await self._answer("tickers", by)
        return tuple(replace(ticker(each.symbol), polled=True) for each in instruments or self.listed)

    async def book(self, instrument, depth, by):
        await self._answer("book", by)
        return view(instrument.symbol, depth)

    async def candles(self, instrument, interval_s, since_ns, by):
        await self._answer("candles", by)
        return tuple(candle(instrument.symbol, interval_s, index) for index in range(5))

    async def trades(self, instrument, since_ns, count, by):
        await self._answer(("trades", since_ns, count), by)
        first = 0 if since_ns is None else since_ns + 1
        times = range(first, min(first + count, 5))
        trades = tuple(Trade(instrument.symbol, str(ns), ONE, ONE, Side.BUY, EventTimes(ns, ns)) for ns in times)
        return TradePage(trades, first + len(trades) - 1)

    async def mode(self, by):
        await self._answer("mode", by)
        return VenueMode.ONLINE

    async def clock(self, by):
        return ClockReading(-0.25, 0.5, 0.02)

    def feed(self):
        self.feeds.append(Feed())
        return self.feeds[-1]

    async def _answer(self, what, by):
        self.asked.append(what)
        if self.failure is not None:
            raise self.failure
        if self.patient:
            await self._clock.sleep(by - self._clock.monotonic())
            raise busy(Reason.VENUE_UNREACHABLE)
        if self.silent:
            await self._clock.sleep(30)


class PrivateStage(ScriptedVenue):
    """The scripted account with balances, fills and a private stream besides."""

    patience_s = 30.0

    def __init__(self, clock, tasks):
        super().__init__(clock, tasks)
        self.held = []
        self.balance_reads = 0
        self.stream = asyncio.Queue()
        self.statements = ScriptedStatements()
        self.judged, self.objection = [], None

    async def balances(self, by, *, caller=""):
        self.balance_reads += 1
        return tuple(self.held)

    async def objects(self, spec, instrument, by, caller):
        """What it has against an order that it is asked to judge only."""
        self.judged.append(spec)
        return self.objection

    def lanes(self):
        return (LaneState("key-1", "trade", "closed", 2, None, stopped=False),)

    async def events(self):
        while True:
            yield await self.stream.get()


class Stage:
    """One running server, its exchange, and stubs that talk to it."""

    def __init__(self, **parts):
        self.clock = RealClock()
        self.tasks = SimTasks()
        self.venue = PrivateStage(self.clock, self.tasks)
        self.venue.rates = parts.get("rates") or self.venue.rates
        self.public = PublicStage(self.clock)
        self.store = MemoryStore(parts.get("disk") or new_disk())
        self.spans = parts.get("telemetry") or Telemetry(
            trace.NoOpTracerProvider().get_tracer("t"), metrics.NoOpMeterProvider().get_meter("t")
        )
        self.reports = []
        self.alarms = []
        self.catalog = Catalog(self.public, self.clock)
        self.feeds = Feeds(self.public, self.clock, self.tasks, self.spans, self.catalog.instrument)
        self.fees = FeeBook(self.venue.statements, self.catalog, self.clock)
        self.risk = risk_desk(
            self.store,
            self.catalog,
            self.feeds,
            self.clock,
            rules=parts.get("rules") or lifted(max_order_notional=parts.get("max_order_notional")),
            telemetry=self.spans,
            tasks=self.tasks,
        )
        self.house = house(
            account="main",
            venue=self.venue,
            store=self.store,
            catalog=self.catalog,
            risk=self.risk,
            clock=self.clock,
            tasks=self.tasks,
            telemetry=self.spans,
            alarm=self.alarms.append,
            terms=HouseTerms(venue_floor_s=VENUE_FLOOR_S),
        )
        self.resolver, self.desk = self.house.resolver, self.house.desk
        self.settlements, self.executions = self.house.settlements, self.house.executions
        self.standing = self._standing()
        self.overview = self._overview()
        self.services = self._services(parts.get("callers") or LocalCaller("main"))

    def _overview(self):
        about = About(
            version="0.1.0",
            venue="paper",
            mode="paper",
            server_epoch=EPOCH,
            start_ns=self.clock.wall_ns(),
            least_place_timeout_s=self.desk.least_timeout_s,
            settings=(("staleness_bound_s", "5"),),
        )
        return Overview(
            about=about,
            public=self.public,
            feeds=self.feeds,
            accounts={"main": self.standing},
            clock=self.clock,
        )

    def _standing(self):
        return Standing(
            account="main",
            private=self.venue,
            executions=self.executions,
            funds=self.house.funds,
            resolver=self.resolver,
            visibility=self.house.visibility,
            switch=self.house.switch,
            settings=(("tier", "starter"),),
            phase=Phase.SERVING,
        )

    def _services(self, callers):
        return Services(
            accounts={"main": self._cases()},
            market=MarketData(self.public, self.catalog, self.feeds),
            overview=self.overview,
            callers=callers,
            clock=self.clock,
            tasks=self.tasks,
            entropy=RealEntropy(),
            telemetry=self.spans,
            report=lambda event, error, facts: self.reports.append((event, error, dict(facts))),
        )

    def _cases(self):
        return AccountCases(
            desk=self.desk,
            amends=self.house.amends,
            clearing=self.house.clearing,
            dead_man=self.house.dead_man,
            sessions=self.house.sessions,
            preview=Preview(
                catalog=self.catalog,
                feeds=self.feeds,
                risk=self.risk,
                rates=self.venue.rates,
                clock=self.clock,
                refusal=self.house.desk.refusal,
                ask=self.venue.objects,
                fees=self.fees,
            ),
            limits=AccountLimits(self.venue.rates, self.catalog, self.risk, self.clock),
            explain=Explain(
                desk=self.desk,
                journal=self.store,
                chronicle=self.house.chronicle,
                clock=self.clock,
                awaited=self.resolver.awaited,
            ),
            orders=OrderFeed("main", self.store, self.store.journal_id, self.clock),
            reads=AccountReads(
                account="main",
                statements=self.venue.statements,
                fees=self.fees,
                journal=self.store,
                catalog=self.catalog,
                funds=self.house.funds,
                clock=self.clock,
            ),
            standing=self.standing,
            modes=self.house.modes,
        )

    async def start(self, listen="127.0.0.1:0", *, reflect=False, options=()):
        await self.catalog.refresh()
        self.tasks.start("watch", self.feeds.watch())
        self.tasks.start("executions", self.executions.follow())
        self.tasks.start("owner", self.house.owner.keep())
        self.door = await server.start(listen, self.services, reflect=reflect)
        self.channel = grpc.aio.insecure_channel(self.door.address, options=(("grpc.enable_retries", 0), *options))
        self.orders = order_stub.OrderServiceStub(self.channel)
        self.market = market_stub.MarketDataServiceStub(self.channel)
        self.account = account_stub.AccountServiceStub(self.channel)
        self.admin = admin_stub.AdminServiceStub(self.channel)

    async def close(self):
        await self.channel.close()
        await self.door.stop(0.2)
        await self.tasks.close()
        self.settlements.close()

    # ---- what tests do often ------------------------------------------------------------------------------------

    async def place(self, client_order_id="one", timeout=5.0, **fields):
        return await self.orders.PlaceOrder(placement(client_order_id, **fields), timeout=timeout)

    async def eventually(self, holds, within_s=2.0):
        """Waits until `holds()` is true; fails the test when it never is."""
        by = self.clock.monotonic() + within_s
        while not holds():
            assert self.clock.monotonic() < by, "it did not come about in time"
            await self.clock.sleep(0.005)

    async def tell(self, *events, feed=0):
        """Market events, read by the time this returns."""
        await self.eventually(lambda: len(self.public.feeds) > feed)
        source = self.public.feeds[feed]
        wanted = source.read + len(events)
        for event in events:
            source.queue.put_nowait(event)
        await self.eventually(lambda: source.read >= wanted)


@asynccontextmanager
async def stage(**parts):
    built = Stage(**parts)
    await built.start(**{name: parts[name] for name in ("listen", "reflect", "options") if name in parts})
    try:
        yield built
    finally:
        await built.close()
        assert [] == built.tasks.failures, built.tasks.failures


def order_key(client_order_id):
    return OrderKey("main", "local", client_order_id)


# ---- requests and samples --------------------------------------------------------------------------------------------


def limit_spec(**fields):
    given = {"symbol": "BTC/USD", "side": 1, "base_quantity": "0.001"} | fields
    if not {"limit", "market", "trigger", "trailing_stop", "settle_position"} & fields.keys():
        given["limit"] = order.LimitOrder(limit_price="60000.0")
    return order.OrderSpec(**given)


def placement(client_order_id="one", **fields):
    given = {"client_order_id": client_order_id} | fields
    given.setdefault("spec", limit_spec())
    return orders.PlaceOrderRequest(**given)


def ticker(symbol, price="100", ns=1):
    figure = Decimal(price)
    return Ticker(symbol, figure, ONE, figure + 1, ONE, figure, ONE, figure, figure, figure, None, EventTimes(ns, ns))


def seen(symbol, price="100", *, snapshot=False):
    return TickerSeen(ticker(symbol, price), snapshot=snapshot)


def view(symbol, depth, price="100"):
    level = Level(Decimal(price), ONE)
    return BookView(symbol, depth, (level,), (Level(level.price + 1, ONE),), EventTimes(1, 2))


def book(symbol, depth, price, *, snapshot):
    level = (Level(Decimal(price), ONE),)
    return BookSeen(
        BookTopic(symbol, depth), snapshot, level, level, 7, EventTimes(1, 2), lambda: view(symbol, depth, price)
    )


def candle(symbol, interval_s, index):
    return Candle(
        symbol, interval_s, index * interval_s * 10**9, ONE, ONE, ONE, ONE, ONE, ONE, 3, closed=index < 4, receive_ns=9
    )


def balance(asset, total="2", held="0.5"):
    return Balance(asset, Decimal(total), Decimal(held), Decimal(0), Decimal(0), 5)


def fill(fill_id, symbol="BTC/USD", ns=5):
    fees = (AssetAmount("USD", Decimal("0.1")),)
    return Fill(
        fill_id, "main", "", "OX", "", symbol, Side.BUY, ONE, ONE, ONE, fees, maker=True, times=EventTimes(ns, ns)
    )


def link_up():
    return LinkUp(1)


# ---- errors ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    """A failed call, taken apart."""

    code: grpc.StatusCode
    message: str
    trailers: dict
    infos: list
    bad: dict
    retry_s: float | None
    kinds: list

    @property
    def reason(self):
        assert len(self.infos) == 1
        assert self.infos[0].domain == "execsvc"
        return self.infos[0].reason

    @property
    def metadata(self):
        return dict(self.infos[0].metadata)


def taken_apart(error):
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
    held = {}
    for packed in status.details:
        kind = getattr(details, packed.TypeName().removeprefix("google.rpc."))
        message = kind()
        assert packed.Unpack(message)
        held.setdefault(kind.__name__, []).append(message)
    bad = {each.field: each.description for each in held.get("BadRequest", [details.BadRequest()])[0].field_violations}
    retry = held.get("RetryInfo")
    retry_s = None if retry is None else retry[0].retry_delay.ToTimedelta().total_seconds()
    assert status.code == error.code().value[0]
    return Refusal(error.code(), error.details(), trailers, held.get("ErrorInfo", []), bad, retry_s, sorted(held))


async def refused(call):
    """The refusal of a call that must fail."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return taken_apart(error)
    raise AssertionError(f"it was answered: {answer}")


async def ended(stream):
    """The messages of a stream until it ends, and how it ended."""
    held = []
    try:
        while (message := await stream.read()) is not grpc.aio.EOF:
            held.append(message)
    except grpc.aio.AioRpcError as error:
        return held, taken_apart(error)
    raise AssertionError("a stream never ends well by itself")


def busy(reason=Reason.VENUE_UNREACHABLE, **more):
    return refuse(reason, "as the test wants it", **more)
