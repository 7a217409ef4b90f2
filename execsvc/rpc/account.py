"""AccountService: convert in, ask, convert out.

One servicer an account: the gate has already resolved which one a request means, and services.py hands it over.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from execsvc_api.v1 import account_service_pb2 as wire
from google.protobuf.message import Message

from execsvc.app.account import AccountReads
from execsvc.app.hub import Delivery
from execsvc.app.limits import AccountLimits
from execsvc.domain.account import FillQuery, LedgerQuery, Mark
from execsvc.rpc.call import Call
from execsvc.rpc.convert import account as convert
from execsvc.rpc.convert import limits
from execsvc.rpc.convert.streams import delivery
from execsvc.rpc.funds import BalanceSource
from execsvc.rpc.scalars import decimal, ns_of
from execsvc.rpc.streams import Pumps, Terms, heartbeat_s
from execsvc.rpc.tokens import cursor_of, page_size, page_token

LEDGER_PAGE = 50  # Kraken's own page, as the contract says
_MARK = (str, int, str)


class AccountService:
    """Every built method, by its name in snake case, for one account."""

    def __init__(self, reads: AccountReads, limits_of: AccountLimits, pumps: Pumps) -> None:
        self._reads = reads
        self._limits = limits_of
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
        """Newest first. The token holds what the first page began with, so that new fills do not shift the later ones."""
        start_ns, end_ns = _span(request)
        query = FillQuery(
            symbol=request.symbol,
            start_ns=start_ns,
            end_ns=end_ns,
            size=page_size(request.page_size),
            mark=_mark(request),
        )
        page = await self._reads.fills(query, call.answer_by, caller=call.who.name)
        return wire.ListFillsResponse(fills=map(convert.fill, page.rows), next_page_token=_token(request, page.next))

    async def list_ledger_entries(
        self, call: Call, request: wire.ListLedgerEntriesRequest
    ) -> wire.ListLedgerEntriesResponse:
        """As list_fills."""
        start_ns, end_ns = _span(request)
        query = LedgerQuery(
            asset=request.asset,
            kind=request.kind,
            start_ns=start_ns,
            end_ns=end_ns,
            size=page_size(request.page_size, LEDGER_PAGE),
            mark=_mark(request),
        )
        page = await self._reads.ledger(query, call.answer_by, caller=call.who.name)
        return wire.ListLedgerEntriesResponse(
            entries=map(convert.ledger_entry, page.rows), next_page_token=_token(request, page.next)
        )

    async def get_margin_summary(
        self, call: Call, request: wire.GetMarginSummaryRequest
    ) -> wire.GetMarginSummaryResponse:
        """Valued in the asset asked for, or in dollars."""
        return convert.margin(
            call.account, await self._reads.margin(request.asset, call.answer_by, caller=call.who.name)
        )

    async def list_positions(self, call: Call, request: wire.ListPositionsRequest) -> wire.ListPositionsResponse:
        """Oldest first."""
        found = await self._reads.positions(request.symbol, call.answer_by, caller=call.who.name)
        return wire.ListPositionsResponse(account=call.account, positions=map(convert.position, found))

    async def get_fee_rates(self, call: Call, request: wire.GetFeeRatesRequest) -> wire.GetFeeRatesResponse:
        """In the order of the request; at most a minute old."""
        found = await self._reads.fee_rates(tuple(request.symbols), call.answer_by, caller=call.who.name)
        return wire.GetFeeRatesResponse(
            account=call.account,
            rates=map(convert.fee_rate, found.rates),
            volume=decimal(found.volume),
            volume_asset=found.volume_asset,
        )

    async def get_limits(self, call: Call, request: wire.GetLimitsRequest) -> wire.GetLimitsResponse:
        """The counters as they are counted here: Kraken is not asked."""
        report = self._limits.tell(tuple(request.symbols), tuple(map(limits.question_of, request.queries)), call.who)
        return limits.response(call.account, report)


Listing = wire.ListFillsRequest | wire.ListLedgerEntriesRequest


def _span(request: Listing) -> tuple[int | None, int | None]:
    """Start and end, ns; None where the request has none."""
    return (
        ns_of(request.start_time) if request.HasField("start_time") else None,
        ns_of(request.end_time) if request.HasField("end_time") else None,
    )


def _mark(request: Listing) -> Mark | None:
    """Where the page before ended; None on the first."""
    match cursor_of(request, request.page_token, _MARK):
        case [str(newest), int(passed), str(last)]:
            return Mark(newest, passed, last)
        case _:
            return None


def _token(request: Listing, mark: Mark | None) -> str:
    """The next page's token; empty when there is none."""
    return "" if mark is None else page_token(request, mark.newest, mark.passed, mark.last)
