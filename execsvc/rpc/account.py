"""AccountService: convert in, ask, convert out.

The gate has already resolved the account of the request; there is one in this build, so one AccountReads and one
AccountLimits.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from execsvc_api.v1 import account_service_pb2 as wire
from google.protobuf.message import Message

from execsvc.app.account import AccountReads
from execsvc.app.hub import Delivery
from execsvc.app.limits import AccountLimits
from execsvc.domain.account import FillQuery
from execsvc.ports import Clock
from execsvc.rpc.call import Call
from execsvc.rpc.convert import account as convert
from execsvc.rpc.convert import limits
from execsvc.rpc.convert.streams import delivery
from execsvc.rpc.funds import BalanceSource
from execsvc.rpc.scalars import ns_of
from execsvc.rpc.streams import Pumps, Terms, heartbeat_s
from execsvc.rpc.tokens import cursor_of, page_size, page_token


class AccountService:
    """Every built method, by its name in snake case."""

    def __init__(self, reads: AccountReads, limits_of: AccountLimits, clock: Clock, pumps: Pumps) -> None:
        self._reads = reads
        self._limits = limits_of
        self._clock = clock
        self._pumps = pumps

    async def list_balances(self, call: Call, _: wire.ListBalancesRequest) -> wire.ListBalancesResponse:
        """Ordered by asset."""
        balances = sorted(await self._reads.balances(call.answer_by, caller=call.who.name), key=lambda each: each.asset)
        return wire.ListBalancesResponse(account=call.account, balances=map(convert.balance, balances))

    async def subscribe_balances(
        self, call: Call, request: wire.SubscribeBalancesRequest
    ) -> AsyncGenerator[Message, None]:
        """The newest of each asset: a slow reader costs one picture, and is told how many it folded."""
        with self._reads.follow_balances(call.who.name) as reader:
            source = BalanceSource(reader, lambda: self._reads.heard_ns)
            terms = Terms(heartbeat_s(request), delivery(Delivery(conflate=True, max_batch=1)))
            async with aclosing(self._pumps.pump(call, wire.SubscribeBalancesResponse, source, terms)) as messages:
                async for message in messages:
                    yield message

    async def list_fills(self, call: Call, request: wire.ListFillsRequest) -> wire.ListFillsResponse:
        """Newest first. The token holds the end of the first page, so that new fills do not shift the later ones."""
        offset, end_ns = self._place(request)
        size = page_size(request.page_size)
        query = FillQuery(
            symbol=request.symbol,
            start_ns=ns_of(request.start_time) if request.HasField("start_time") else None,
            end_ns=end_ns,
            offset=offset,
            size=size,
        )
        fills, total = await self._reads.fills(query, call.answer_by, caller=call.who.name)
        more = total > offset + size
        return wire.ListFillsResponse(
            fills=map(convert.fill, fills),
            next_page_token=page_token(request, offset + size, end_ns) if more else "",
        )

    async def get_limits(self, call: Call, request: wire.GetLimitsRequest) -> wire.GetLimitsResponse:
        """The counters as they are counted here: Kraken is not asked."""
        report = self._limits.tell(tuple(request.symbols), tuple(map(limits.question_of, request.queries)))
        return limits.response(call.account, report)

    def _place(self, request: wire.ListFillsRequest) -> tuple[int, int]:
        cursor = cursor_of(request, request.page_token, (int, int))
        if cursor is not None and isinstance(cursor[0], int) and isinstance(cursor[1], int):
            return cursor[0], cursor[1]
        return 0, ns_of(request.end_time) if request.HasField("end_time") else self._clock.wall_ns()
