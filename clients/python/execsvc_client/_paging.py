"""Page after page, as long as the reader wants them, for both clients.

Every list method's request has a `page_token`, and its answer a `next_page_token` that is empty on the last page.
"""

from collections.abc import AsyncGenerator, Generator
from typing import Protocol, cast

import grpc

from execsvc_client._errors import Facts, ServerFault
from execsvc_client._link import Link
from execsvc_client._methods import A, Q, Unary
from execsvc_client._sync_link import SyncLink

PAGE = 100
LARGEST_PAGE = 1000


class _Asks(Protocol):
    page_token: str


class _Answers(Protocol):
    next_page_token: str


async def pages(link: Link, method: Unary[Q, A], request: Q, timeout: float | None = None) -> AsyncGenerator[A, None]:
    """The answers of a list method; `timeout` is for each page."""
    more = True
    while more:
        page = await link.call(method, request, timeout=timeout)
        yield page
        request, more = _next(request, page)


def sync_pages(link: SyncLink, method: Unary[Q, A], request: Q, timeout: float | None = None) -> Generator[A]:
    """The same, waiting."""
    more = True
    while more:
        page = link.call(method, request, timeout=timeout)
        yield page
        request, more = _next(request, page)


def _next(request: Q, page: object) -> tuple[Q, bool]:
    """The request for the next page, and whether there is one. Raises ServerFault for a token that leads to itself."""
    token = cast("_Answers", page).next_page_token
    following = type(request)()
    following.CopyFrom(request)
    if token and token == cast("_Asks", request).page_token:
        raise ServerFault(Facts(grpc.StatusCode.INTERNAL, "the gateway's page token leads to the same page again"))
    cast("_Asks", following).page_token = token
    return following, bool(token)
