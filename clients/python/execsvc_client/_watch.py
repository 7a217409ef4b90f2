"""Reads a stream, notices its loss, waits with jitter and opens it again: the asynchronous half of following.

Loss is an error, a clean end (a stream never ends by itself) or silence for longer than three heartbeats. The follower
says what it means; `_repeat.Backoff` says how long to wait.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar, cast

import grpc
from grpc import aio

from execsvc_client._chance import Trace, current_trace, new_request_id
from execsvc_client._errors import ExecsvcError, Facts, Unavailable
from execsvc_client._follow import Follower
from execsvc_client._link import Link
from execsvc_client._methods import A, Q, Stream
from execsvc_client._repeat import Backoff

E = TypeVar("E")


async def follow(link: Link, method: Stream[Q, A], follower: Follower[Q, A, E]) -> AsyncGenerator[E, None]:
    """Events for as long as the reader wants them and the client is open.

    Raises what does not pass by itself, such as an unknown symbol.
    """
    backoff = Backoff()
    while not link.closed:
        try:
            async with aclosing(_once(link, method, follower)) as messages:
                async for message in messages:
                    backoff.succeeded()
                    for event in follower.receive(message):
                        yield event
        except ExecsvcError as error:
            again = 0.0 if follower.recovers(error) else backoff.after(error)
            if link.closed:
                return
            if again is None:
                raise
            wait = again
            for event in follower.lost(error, wait):
                yield event
        await asyncio.sleep(wait)


async def _once(link: Link, method: Stream[Q, A], follower: Follower[Q, A, E]) -> AsyncGenerator[A, None]:
    """The messages of one call; ends by raising, always."""
    request_id, trace = new_request_id(), current_trace(wanted=False)
    call = link.open(method, follower.request(), request_id, trace)
    try:
        while True:
            async with asyncio.timeout(follower.silence):
                message = await call.read()
            if message is aio.EOF:
                raise Unavailable(_facts("the stream ended without a word", request_id, trace))
            yield cast("A", message)
    except TimeoutError:
        silent = f"nothing was heard for {follower.silence:g} s, not even a heartbeat"
        raise Unavailable(_facts(silent, request_id, trace)) from None
    except aio.AioRpcError as failed:
        raise link.error(failed, request_id, trace) from None
    except asyncio.CancelledError:
        if not link.was_closed_under_us():
            raise
        raise Unavailable(_facts("this client was closed", request_id, trace)) from None
    finally:
        call.cancel()


def _facts(message: str, request_id: str, trace: Trace) -> Facts:
    return Facts(grpc.StatusCode.UNAVAILABLE, message, request_id=request_id, trace_id=trace.trace_id)
