"""An order-entry session of the asynchronous client: the calls of Client that place, amend and cancel, on one stream.

Each is checked, journaled and answered as the call of the same name would be; only the way there is shorter.
"""

from collections.abc import AsyncGenerator, Awaitable
from types import TracebackType
from typing import Self, Unpack, cast

from execsvc_api.v1 import order_service_pb2 as orders_pb

from execsvc_client import _amend_calls, _waiting
from execsvc_client import _doubt as doubts
from execsvc_client import _methods as methods
from execsvc_client import _requests as requests
from execsvc_client._amends import Amended, AmendInDoubt, AmendOptions, amend_order
from execsvc_client._amounts import Number
from execsvc_client._doubt import InDoubt
from execsvc_client._enums import ScopeLike
from execsvc_client._follow import HEARTBEAT
from execsvc_client._link import Link
from execsvc_client._many import Cleared, cancel_all, read_cleared
from execsvc_client._orders import Order, Placed, read_order
from execsvc_client._requests import OrderLike, OrderOptions
from execsvc_client._session import ENTRY, OPEN, SessionEvent, SessionTerms
from execsvc_client._session_run import SessionRun
from execsvc_client._specs import SideLike, Size


class OrderSession:
    """A session, as Client.session() makes it; use it as `async with client.session() as session:`.

    It comes back by itself after a loss. What was asked and not answered is then asked again under the same id, and never
    after its `timeout`; what may have left and got no answer raises OutcomeUnknown.
    """

    def __init__(self, link: Link, terms: SessionTerms) -> None:
        self._link = link
        self._run = SessionRun(link, terms)

    async def __aenter__(self) -> Self:
        await self._run.open(OPEN)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await (self._run.close() if kind is None else self._run.abandon())

    @property
    def stream_id(self) -> str:
        """The session as the gateway knows it now; another one after each reconnect."""
        return self._run.talk.stream_id

    async def place(
        self,
        symbol: str,
        side: SideLike,
        *,
        quantity: Size,
        limit_price: Number | None = None,
        market: bool = False,
        **options: Unpack[OrderOptions],
    ) -> Placed | InDoubt[Awaitable[Placed]]:
        """As Client.place()."""
        request = requests.place_order(
            "", symbol, side, quantity=quantity, limit_price=limit_price, market=market, options=options
        )
        answer = await self._run.ask(
            "place",
            request,
            methods.PLACE_ORDER.timeout if (timeout := options.get("timeout")) is None else timeout,
            client_order_id=request.client_order_id,
            entry=ENTRY if (delay := options.get("max_entry_delay")) is None else delay,
        )
        return doubts.told(cast("orders_pb.PlaceOrderResponse", answer), self._resolve)

    async def amend(
        self, order: OrderLike = "", *, order_id: str = "", **options: Unpack[AmendOptions]
    ) -> Amended | AmendInDoubt[Awaitable[Amended]]:
        """As Client.amend()."""
        request = amend_order("", order, order_id, options)
        answer = await self._run.ask(
            "amend",
            request,
            methods.AMEND_ORDER.timeout if (timeout := options.get("timeout")) is None else timeout,
            client_order_id=request.order.client_order_id,
            entry=ENTRY if (delay := options.get("max_entry_delay")) is None else delay,
        )
        return _amend_calls.told(self._link, request, cast("orders_pb.AmendOrderResponse", answer))

    async def cancel(self, order: OrderLike = "", *, order_id: str = "", timeout: float | None = None) -> Order:
        """As Client.cancel()."""
        ref = requests.order_ref(order, order_id)
        answer = await self._run.ask(
            "cancel",
            orders_pb.CancelOrderRequest(order=ref),
            methods.CANCEL_ORDER.timeout if timeout is None else timeout,
            client_order_id=ref.client_order_id,
        )
        return read_order(cast("orders_pb.CancelOrderResponse", answer).order)

    async def cancel_all(self, symbol: str = "", *, scope: ScopeLike = "own", timeout: float | None = None) -> Cleared:
        """As Client.cancel_all(): all in scope, not only what was placed in this session."""
        answer = await self._run.ask(
            "cancel_all",
            cancel_all("", symbol, scope),
            methods.CANCEL_ALL_ORDERS.timeout if timeout is None else timeout,
        )
        return read_cleared(cast("orders_pb.CancelAllOrdersResponse", answer))

    def changes(self) -> AsyncGenerator[SessionEvent, None]:
        """Every later change of the session's orders (with follow=True), and each loss and return of the session.

        An OrderUpdate's resume_token is empty: what changed between Disconnected and Connected is not told again. Look at
        your orders then. To be read by one reader; a Gap says that it was too slow.
        """
        return self._run.changes()

    async def _resolve(self, client_order_id: str, timeout: float) -> Placed:
        return await _waiting.resolve(self._link, requests.order_ref(client_order_id, ""), timeout)


class Sessions:
    """These methods of Client."""

    link: Link

    def session(
        self,
        *,
        cancel_on_disconnect: bool = False,
        follow: bool = False,
        heartbeat: float = HEARTBEAT,
        max_in_flight: int = 0,
    ) -> OrderSession:
        """An order-entry session: place, amend and cancel on one stream; `async with client.session() as session:`.

        cancel_on_disconnect  its open orders are cancelled 2 s after it ended, however it ended, unless it came back
        follow                later changes of its orders are told by changes()
        heartbeat             seconds between signs of life, 1 to 60; three of them missed are a loss
        max_in_flight         requests without an answer, up to 1024; 0: 64. Those above it wait, within their timeout
        """
        account = self.link.settings.account
        return OrderSession(self.link, SessionTerms(account, cancel_on_disconnect, follow, heartbeat, max_in_flight))
