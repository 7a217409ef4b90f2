"""What stands behind the doors, as one bundle: the composition root fills it, the gate is built from it.

`handlers` ties every built method of permits.py to a servicer's method of the same name in snake case; a method without one
fails at start, not at its first call. What belongs to an account has a set of servicers for each, and a call goes to the set
of the account that the gate found it to mean.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from google.protobuf.message import Message

from execsvc.app.account import AccountReads
from execsvc.app.amends import Amends
from execsvc.app.batchdesk import BatchDesk
from execsvc.app.clearing import Clearing
from execsvc.app.deadman import DeadMan
from execsvc.app.explain import Explain
from execsvc.app.limits import AccountLimits
from execsvc.app.market import MarketData
from execsvc.app.modes import TradingModes
from execsvc.app.modeskept import AccountModes
from execsvc.app.orders import OrderFeed
from execsvc.app.overview import Overview
from execsvc.app.preview import Preview
from execsvc.app.sessions import Sessions
from execsvc.app.standing import Standing
from execsvc.domain.errors import Reason, refuse
from execsvc.ports import Clock, Entropy, OrderQuery, Tasks
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
from execsvc.rpc.modes import ModeService
from execsvc.rpc.openstreams import OpenStreams
from execsvc.rpc.orders import OrderService
from execsvc.rpc.permits import PACKAGE, PERMITS, Effect
from execsvc.rpc.session import Ask, OrderSessions, Reply
from execsvc.rpc.status import call_error_of
from execsvc.rpc.streams import Pumps
from execsvc.telemetry import Telemetry

_WORD = re.compile(r"(?<!^)(?=[A-Z])")

T = TypeVar("T")


@dataclass(frozen=True)
class AccountCases:
    """The use cases of one account."""

    desk: BatchDesk
    amends: Amends
    clearing: Clearing
    dead_man: DeadMan
    sessions: Sessions
    preview: Preview
    explain: Explain
    orders: OrderFeed
    reads: AccountReads
    limits: AccountLimits
    standing: Standing
    modes: AccountModes


@dataclass(frozen=True)
class Services:
    """The use cases of every account by its name, those of all of them, and what the doors need of the world.

    report: tells the operator of an error nobody expected: event name, the error, facts under the log's own field names.
    """

    accounts: Mapping[str, AccountCases]
    market: MarketData
    overview: Overview
    callers: Callers
    clock: Clock
    tasks: Tasks
    entropy: Entropy
    telemetry: Telemetry
    report: Report
    drain: Drain = field(default_factory=Drain)


@dataclass(frozen=True)
class _Set:
    """What answers for one account: servicers by service, and by method what rescues a placement that broke."""

    servicers: Mapping[str, tuple[object, ...]]
    rescues: Mapping[str, Callable[[Call, Any], Awaitable[Message]]]


def gate_of(services: Services) -> Gate:
    """The gate before these services; a session's requests pass it one by one."""

    async def ask(knock: Knock) -> Reply:
        answer = await gate.unary(knock)
        return Reply(answer.response, None if answer.verdict is None else call_error_of(answer.verdict))

    streams = OpenStreams(services.callers, services.clock, services.telemetry)
    services.tasks.supervise("open streams", streams.watch)
    gate = Gate(
        handlers=handlers(services, ask, streams),
        admission=Admission(services.callers, services.drain, services.clock, services.entropy),
        streams=streams,
        about=services.overview.about,
        clock=services.clock,
        telemetry=services.telemetry,
        report=services.report,
    )
    return gate


def handlers(services: Services, ask: Ask, open_streams: OpenStreams) -> Handlers:
    """Every built method's servicer."""
    pumps = Pumps(services.clock, services.drain, services.telemetry, services.overview.about.server_epoch)
    modes = TradingModes(
        {name: each.modes for name, each in services.accounts.items()},
        lambda spelling: services.market.catalog.instrument(spelling, "scope.symbol").symbol,
        partial(_known, services),
        services.clock,
    )
    common: dict[str, tuple[object, ...]] = {
        "MarketDataService": (MarketDataService(services.market, pumps),),
        "AdminService": (
            AdminService(services.overview, services.callers, open_streams, services.clock, modes),
            ModeService(modes),
        ),
    }
    sets = {name: _set(services, cases, pumps, ask) for name, cases in services.accounts.items()}
    unary: dict[str, Callable[[Call, Any], Awaitable[Message]]] = {}
    streams: dict[str, Callable[[Call, Any], AsyncGenerator[Message, None]]] = {}
    for permit in PERMITS.values():
        if permit.built:
            service, _, method = permit.short.partition("/")
            name = _WORD.sub("_", method).lower()
            if service in common:
                run = _method(common[service], name)
            else:
                run = _of_account({account: _method(each.servicers[service], name) for account, each in sets.items()})
            (streams if permit.effect is Effect.STREAM else unary)[permit.method] = run
    rescues: dict[str, Callable[[Call, Any], Awaitable[Message]]] = {
        f"{PACKAGE}.OrderService/{method}": _of_account({name: each.rescues[method] for name, each in sets.items()})
        for method in ("PlaceOrder", "AmendOrder")
    }
    return Handlers(unary, streams, rescues)


async def _known(services: Services, caller: str, accounts: Sequence[str]) -> bool:
    """Whether somebody may come by that name, or came once and placed an order on one of the accounts."""
    if services.callers.knows(caller):
        return True
    asked = (services.accounts[name].desk.page(OrderQuery(name, caller=caller, size=1)) for name in accounts)
    return any([await each for each in asked])


def _set(services: Services, cases: AccountCases, pumps: Pumps, ask: Ask) -> _Set:
    orders = OrderService(
        desk=cases.desk,
        preview=cases.preview,
        explain=cases.explain,
        feed=cases.orders,
        catalog=services.market.catalog,
        executions=cases.standing.executions,
        lost=cases.clearing.when_lost,
        pumps=pumps,
    )
    amends = AmendService(cases.amends)
    many = ManyOrders(cases.desk, cases.clearing, cases.dead_man)
    sessions = OrderSessions(
        sessions=cases.sessions,
        pumps=pumps,
        clock=services.clock,
        tasks=services.tasks,
        private_state=lambda: cases.standing.executions.state,
        ask=ask,
    )
    servicers: dict[str, tuple[object, ...]] = {
        "OrderService": (orders, amends, many, sessions),
        "AccountService": (AccountService(cases.reads, cases.limits, pumps),),
    }
    return _Set(servicers, {"PlaceOrder": orders.standing, "AmendOrder": amends.standing})


def _of_account(runs: Mapping[str, Callable[[Call, Any], T]]) -> Callable[[Call, Any], T]:
    """Whichever of them is for the call's account. An account that is not here reads as one that is not granted."""

    def run(call: Call, request: Any) -> T:
        chosen = runs.get(call.account)
        if chosen is None:
            raise refuse(
                Reason.ACCOUNT_NOT_GRANTED, f"account {call.account[:64]!r} is not granted to {call.who.name!r}"
            )
        return chosen(call, request)

    return run


def _method(servicers: tuple[object, ...], name: str) -> Any:
    """The method of whichever of a service's servicers has it; AttributeError at start when none does."""
    return getattr(next((each for each in servicers if hasattr(each, name)), servicers[0]), name)
