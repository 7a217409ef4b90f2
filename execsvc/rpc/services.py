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
from execsvc.app.desk import Desk
from execsvc.app.explain import Explain
from execsvc.app.limits import AccountLimits
from execsvc.app.market import MarketData
from execsvc.app.orders import OrderFeed
from execsvc.app.overview import Overview
from execsvc.app.preview import Preview
from execsvc.ports import Clock, Entropy
from execsvc.rpc.account import AccountService
from execsvc.rpc.admin import AdminService
from execsvc.rpc.admit import Admission
from execsvc.rpc.call import Call
from execsvc.rpc.callers import Callers
from execsvc.rpc.drain import Drain
from execsvc.rpc.gate import Gate, Handlers, Report
from execsvc.rpc.market import MarketDataService
from execsvc.rpc.orders import OrderService
from execsvc.rpc.permits import PACKAGE, PERMITS, Effect
from execsvc.rpc.streams import Pumps
from execsvc.telemetry import Telemetry

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True)
class Services:
    """The use cases of one account, and what the doors need of the world.

    report: tells the operator of an error nobody expected: event name, the error, facts under the log's own field names.
    """

    desk: Desk
    preview: Preview
    explain: Explain
    orders: OrderFeed
    account: AccountReads
    limits: AccountLimits
    market: MarketData
    overview: Overview
    callers: Callers
    clock: Clock
    entropy: Entropy
    telemetry: Telemetry
    report: Report
    drain: Drain = field(default_factory=Drain)


def gate_of(services: Services) -> Gate:
    """The gate before these services."""
    return Gate(
        handlers=handlers(services),
        admission=Admission(services.callers, services.drain, services.clock, services.entropy),
        about=services.overview.about,
        clock=services.clock,
        telemetry=services.telemetry,
        report=services.report,
    )


def handlers(services: Services) -> Handlers:
    """Every built method's servicer."""
    pumps = Pumps(services.clock, services.drain, services.telemetry, services.overview.about.server_epoch)
    orders = OrderService(
        desk=services.desk,
        preview=services.preview,
        explain=services.explain,
        feed=services.orders,
        catalog=services.market.catalog,
        overview=services.overview,
        pumps=pumps,
    )
    servicers: dict[str, Any] = {
        "MarketDataService": MarketDataService(services.market, pumps),
        "OrderService": orders,
        "AccountService": AccountService(services.account, services.limits, services.clock, pumps),
        "AdminService": AdminService(services.overview, services.callers, services.clock),
    }
    unary: dict[str, Callable[[Call, Any], Awaitable[Message]]] = {}
    streams: dict[str, Callable[[Call, Any], AsyncGenerator[Message, None]]] = {}
    for permit in PERMITS.values():
        if permit.built:
            service, _, method = permit.short.partition("/")
            run = getattr(servicers[service], _WORD.sub("_", method).lower())
            (streams if permit.effect is Effect.STREAM else unary)[permit.method] = run
    return Handlers(unary, streams, {f"{PACKAGE}.OrderService/PlaceOrder": orders.standing})
