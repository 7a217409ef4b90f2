"""What stands behind the doors, as one bundle: the composition root fills it, the gate is built from it.

`handlers` ties every built method of permits.py to a servicer's method of the same name in snake case; a method without one
fails at start, not at its first call.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from execsvc.app.account import AccountReads
from execsvc.app.amends import Amends
from execsvc.app.batchdesk import BatchDesk
from execsvc.app.clearing import Clearing
from execsvc.app.deadman import DeadMan
from execsvc.app.explain import Explain
from execsvc.app.limits import AccountLimits
from execsvc.app.market import MarketData
from execsvc.app.orders import OrderFeed
from execsvc.app.overview import Overview
from execsvc.app.preview import Preview
from execsvc.app.sessions import Sessions
from execsvc.ports import Clock, Entropy, Tasks
from execsvc.rpc.account import AccountService
from execsvc.rpc.admin import AdminService
from execsvc.rpc.admit import Admission, Knock
from execsvc.rpc.amends import AmendService
from execsvc.rpc.call import Call
from execsvc.rpc.callers import Callers
from execsvc.rpc.drain import Drain
from execsvc.rpc.gate import Gate, Handlers, Report
from execsvc.rpc.many import ManyOrders
from execsvc.rpc.market import MarketDataService
from execsvc.rpc.orders import OrderService
from execsvc.rpc.permits import PACKAGE, PERMITS, Effect
from execsvc.rpc.session import OrderSessions, Reply
from execsvc.rpc.status import call_error_of
from execsvc.rpc.streams import Pumps
from execsvc.telemetry import Telemetry

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True)
class Services:
    """The use cases of one account, and what the doors need of the world.

    report: tells the operator of an error nobody expected: event name, the error, facts under the log's own field names.
    """

    desk: BatchDesk
    amends: Amends
    clearing: Clearing
    dead_man: DeadMan
    sessions: Sessions
    preview: Preview
    explain: Explain
    orders: OrderFeed
    account: AccountReads
    limits: AccountLimits
    market: MarketData
    overview: Overview
    callers: Callers
    clock: Clock
    tasks: Tasks
    entropy: Entropy
    telemetry: Telemetry
    report: Report
    drain: Drain = field(default_factory=Drain)


def gate_of(services: Services) -> Gate:
    """The gate before these services; a session's requests pass it one by one."""
    pumps = Pumps(services.clock, services.drain, services.telemetry, services.overview.about.server_epoch)
    sessions = OrderSessions(
        sessions=services.sessions,
        pumps=pumps,
        clock=services.clock,
        tasks=services.tasks,
        private_state=lambda: services.overview.executions.state,
    )
    gate = Gate(
        handlers=handlers(services, pumps, sessions),
        admission=Admission(services.callers, services.drain, services.clock, services.entropy),
        about=services.overview.about,
        clock=services.clock,
        telemetry=services.telemetry,
        report=services.report,
    )

    async def ask(knock: Knock) -> Reply:
        answer = await gate.unary(knock)
        return Reply(answer.response, None if answer.verdict is None else call_error_of(answer.verdict))

    sessions.ask = ask
    return gate


def handlers(services: Services, pumps: Pumps, sessions: OrderSessions) -> Handlers:
    """Every built method's servicer."""
    orders = OrderService(
        desk=services.desk,
        preview=services.preview,
        explain=services.explain,
        feed=services.orders,
        catalog=services.market.catalog,
        overview=services.overview,
        lost=services.clearing.when_lost,
        pumps=pumps,
    )
    amends = AmendService(services.amends)
    many = ManyOrders(services.desk, services.clearing, services.dead_man)
    servicers: dict[str, tuple[object, ...]] = {
        "MarketDataService": (MarketDataService(services.market, pumps),),
        "OrderService": (orders, amends, many, sessions),
        "AccountService": (AccountService(services.account, services.limits, pumps),),
        "AdminService": (AdminService(services.overview, services.callers, services.clock),),
    }
    unary: dict[str, Callable[[Call, Any], Awaitable[Message]]] = {}
    streams: dict[str, Callable[[Call, Any], AsyncGenerator[Message, None]]] = {}
    for permit in PERMITS.values():
        if permit.built:
            service, _, method = permit.short.partition("/")
            run = _method(servicers[service], _WORD.sub("_", method).lower())
            (streams if permit.effect is Effect.STREAM else unary)[permit.method] = run
    rescues: dict[str, Callable[[Call, Any], Awaitable[Message]]] = {
        f"{PACKAGE}.OrderService/PlaceOrder": orders.standing,
        f"{PACKAGE}.OrderService/AmendOrder": amends.standing,
    }
    return Handlers(unary, streams, rescues)


def _method(servicers: tuple[object, ...], name: str) -> Any:
    """The method of whichever of a service's servicers has it; AttributeError at start when none does."""
    return getattr(next((each for each in servicers if hasattr(each, name)), servicers[0]), name)
