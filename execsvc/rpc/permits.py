"""Who may call what, with how much time, and whether this build has it: one row per method of the contract.

The rows repeat contract.md section 3 and a test compares them with the descriptors; a method without a row is refused to
everybody. Health and reflection are not here: they stand outside the gate. Applying the rows is gate.py's work.
"""

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from execsvc.domain.caller import Permission

PACKAGE = "execsvc.v1"
SERVICES = tuple(
    f"{PACKAGE}.{name}" for name in ("MarketDataService", "OrderService", "AccountService", "AdminService")
)


class Effect(Enum):
    """READ changes nothing, CHANGE may, STREAM stays open."""

    READ = "read"
    CHANGE = "change"
    STREAM = "stream"


@dataclass(frozen=True)
class Permit:
    """One method: any one of `permissions` opens it, none means every recognised caller.

    Times are seconds; None on a stream. `places`: its answer may mean a new order, so the least time is the desk's to judge
    (it knows replays, which need none) and every error says whether the id is used.
    """

    method: str
    permissions: frozenset[Permission]
    effect: Effect
    default_s: float | None
    least_s: float | None
    built: bool
    places: bool = False

    @property
    def eases(self) -> bool:
        """Whether it takes risk away: cancels, and what is for `kill`; never starved by anything else."""
        return bool(self.permissions) and self.permissions <= _EASING

    @property
    def short(self) -> str:
        """Service/Method, as GetServerInfo names it."""
        return self.method.removeprefix(f"{PACKAGE}.")


_ANY: frozenset[Permission] = frozenset()
_MARKET = frozenset({Permission.MARKET})
_ACCOUNT = frozenset({Permission.ACCOUNT})
_TRADE = frozenset({Permission.TRADE})
_CANCEL = frozenset({Permission.CANCEL})
_KILL = frozenset({Permission.KILL})
_ADMIN = frozenset({Permission.ADMIN})
_EASING = _CANCEL | _KILL
_OWN = frozenset({Permission.ACCOUNT, Permission.TRADE})
_LEAST_S = 0.1


def _read(name: str, permissions: frozenset[Permission], default_s: float, *, built: bool = True) -> Permit:
    return Permit(f"{PACKAGE}.{name}", permissions, Effect.READ, default_s, _LEAST_S, built)


def _change(name: str, permissions: frozenset[Permission], *, built: bool = True) -> Permit:
    return Permit(f"{PACKAGE}.{name}", permissions, Effect.CHANGE, 10.0, _LEAST_S, built)


def _place(name: str) -> Permit:
    return Permit(f"{PACKAGE}.{name}", _TRADE, Effect.CHANGE, 10.0, None, built=True, places=True)


def _stream(name: str, permissions: frozenset[Permission]) -> Permit:
    return Permit(f"{PACKAGE}.{name}", permissions, Effect.STREAM, None, None, built=True)


_ROWS = (
    _read("MarketDataService/ListInstruments", _MARKET, 5.0),
    _read("MarketDataService/ListAssets", _MARKET, 5.0),
    _read("MarketDataService/GetTickers", _MARKET, 5.0),
    _read("MarketDataService/GetBook", _MARKET, 5.0),
    _read("MarketDataService/ListTrades", _MARKET, 5.0),
    _read("MarketDataService/ListCandles", _MARKET, 5.0),
    _stream("MarketDataService/SubscribeTickers", _MARKET),
    _stream("MarketDataService/SubscribeBook", _MARKET),
    _stream("MarketDataService/SubscribeTrades", _MARKET),
    _stream("MarketDataService/SubscribeCandles", _MARKET),
    _place("OrderService/PlaceOrder"),
    _place("OrderService/PlaceOrders"),
    _place("OrderService/AmendOrder"),
    _change("OrderService/CancelOrder", _CANCEL),
    _change("OrderService/CancelOrders", _CANCEL),
    _change("OrderService/CancelAllOrders", _CANCEL),
    _change("OrderService/SetDeadMansSwitch", _CANCEL),
    _read("OrderService/PreviewOrder", _TRADE, 5.0),
    _read("OrderService/GetOrder", _OWN, 5.0),
    _read("OrderService/ListOrders", _OWN, 5.0),
    _read("OrderService/ExplainOrder", _OWN, 5.0),
    _stream("OrderService/SubscribeOrders", _OWN),
    _stream("OrderService/OrderSession", _TRADE),
    _read("AccountService/ListBalances", _ACCOUNT, 10.0),
    _read("AccountService/GetMarginSummary", _ACCOUNT, 10.0),
    _read("AccountService/ListPositions", _ACCOUNT, 10.0),
    _read("AccountService/ListFills", _ACCOUNT, 10.0),
    _read("AccountService/ListLedgerEntries", _ACCOUNT, 10.0),
    _read("AccountService/GetFeeRates", _ACCOUNT, 10.0),
    _read("AccountService/GetLimits", _ACCOUNT, 5.0),
    _stream("AccountService/SubscribeBalances", _ACCOUNT),
    _read("AdminService/GetServerInfo", _ANY, 5.0),
    _read("AdminService/GetVenueStatus", _ACCOUNT, 5.0),
    _change("AdminService/SetTradingMode", _KILL),
    _read("AdminService/ListStreams", _ADMIN, 5.0),
)

PERMITS = MappingProxyType({row.method: row for row in _ROWS})
UNBUILT = tuple(sorted(row.short for row in _ROWS if not row.built))
