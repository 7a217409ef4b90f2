"""AdminService, the kill switch: convert in, call the use case, convert out.

Who may set which mode, and what it does, is app/modes.py's.
"""

from execsvc_api.v1 import admin_service_pb2 as wire

from execsvc.app.modes import TradingModes
from execsvc.rpc.call import Call
from execsvc.rpc.convert import modes as convert


class ModeService:
    """Every built method, by its name in snake case."""

    def __init__(self, modes: TradingModes) -> None:
        self._modes = modes

    async def set_trading_mode(self, call: Call, request: wire.SetTradingModeRequest) -> wire.SetTradingModeResponse:
        """What was and what is, once it is durable."""
        done = await self._modes.set(
            call.who,
            convert.scope_of(request.scope),
            convert.mode_of(request.mode),
            request.comment,
            call.answer_by,
        )
        return wire.SetTradingModeResponse(
            previous=None if done.previous is None else convert.entry(done.previous),
            current=convert.entry(done.current),
            cancel_requested_count=done.cancel_requested,
            caller_unknown=done.caller_unknown,
        )
