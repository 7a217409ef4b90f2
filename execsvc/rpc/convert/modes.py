"""Trading modes and their scopes, to and from the contract's messages.

Words only: what a mode does is domain/modes.py's.
"""

from execsvc_api.v1 import limits_pb2 as wire

from execsvc.domain.modes import ModeEntry, Scope, TradingMode
from execsvc.rpc.scalars import timestamp

MODES: dict[TradingMode, wire.TradingMode.ValueType] = {
    mode: wire.TradingMode.Value(f"TRADING_MODE_{mode.name}") for mode in TradingMode
}
_WISHED = {number: mode for mode, number in MODES.items()}


def mode_of(number: int) -> TradingMode:
    """The mode that is meant; the shape was checked."""
    return _WISHED[wire.TradingMode.ValueType(number)]


def scope_of(scope: wire.TradingScope) -> Scope:
    """Which orders are meant."""
    return Scope(scope.account, scope.caller, scope.symbol, scope.everything)


def entry(value: ModeEntry) -> wire.TradingModeEntry:
    """An entry as it is in force, or as it was."""
    scope = value.scope
    return wire.TradingModeEntry(
        scope=wire.TradingScope(
            account=scope.account, caller=scope.caller, symbol=scope.symbol, everything=scope.everything
        ),
        mode=MODES[value.mode],
        comment=value.comment,
        set_by=value.set_by,
        set_time=timestamp(value.set_time_ns),
    )
