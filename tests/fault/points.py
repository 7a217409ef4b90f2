"""A gateway with one weak point: `python -m tests.fault.points --log FILE POINT=NTH ACTION -- serve …`.

No hook stands in production code. This launcher wraps a public seam of the order path before it calls execsvc's own main;
at the n-th passing of the point the process kills itself, stops, or loses its store. Without a point nothing is wrapped.
POINTS is the whole list. Which of them is struck how, and what is then true, is crash_cells.py.
"""

import argparse
import asyncio
import select
import sys
from functools import partial, wraps
from pathlib import Path

from aiohttp import ClientRequest, ClientResponse

import execsvc.__main__
from execsvc.app.resolver import Resolver
from execsvc.domain.order import Acknowledged, CancelWished, Doubted, NeverSent, ProvedAbsent, Refused, Seen
from execsvc.kraken.private import KrakenPrivate
from execsvc.rpc.server import Door
from execsvc.runtime.http import AiohttpHttp
from execsvc.store.sqlite import SqliteStore
from tests.fault.blows import Log, Passings, Store, kill, stop
from tests.fault.seams import Seam, about, after, before, committed, installed

PATIENCE_MS = 2000
OUTCOME, DOUBT, VERDICT, WISH = (Acknowledged, Refused, NeverSent), (Doubted,), (Seen, ProvedAbsent), (CancelWished,)


# ---- the table -----------------------------------------------------------------------------------------------------


def stored(name, *methods, kinds=()):
    """The pair of points around a write: asked for but not durable, and durable but not told."""
    writes = tuple((method, about(*kinds)) for method in methods)
    return {
        f"{name}.before": tuple(Seam(SqliteStore, method, before(counts)) for method, counts in writes),
        f"{name}.after": committed(f"{name}.after", *writes),
    }


def around(name, owner, method):
    """The pair of points before and after a call."""
    return {
        f"{name}.before": (Seam(owner, method, before(about())),),
        f"{name}.after": (Seam(owner, method, after(about())),),
    }


def to_add_order(*args, **_):
    """Whether a call has to do with AddOrder: by an address among its arguments, or by that of its object."""
    return any(str(getattr(each, "url", each if isinstance(each, str) else "")).endswith("/AddOrder") for each in args)


def request_left(original, passed):
    """Passed when the last byte of AddOrder is with the kernel: uvloop writes at the end of its turn only."""

    @wraps(original)
    async def wrapped(request, writer, connection, *args, **named):
        await original(request, writer, connection, *args, **named)
        transport = connection.protocol.transport
        if to_add_order(request) and await until(lambda: not transport.get_write_buffer_size()):
            passed()

    return wrapped


def reply_came(original, passed):
    """Passed when the answer to AddOrder, or the end of the connection, lies in our socket and nobody has read it."""

    @wraps(original)
    async def wrapped(response, connection):
        if to_add_order(response):
            transport = connection.protocol.transport
            number = transport.get_extra_info("socket").fileno()
            transport.pause_reading()
            try:
                if await until(lambda: select.select([number], [], [], 0)[0]):
                    passed()
            finally:
                transport.resume_reading()
        return await original(response, connection)

    return wrapped


def wasteful(original, _):
    """What was reserved is thrown away first, as after a refused nonce: this very order waits for the next block."""

    @wraps(original)
    async def wrapped(venue, *args, **named):
        venue._nonces.renew()
        return await original(venue, *args, **named)

    return wrapped


async def until(condition):
    """Whether it came true in time; looks every millisecond."""
    for _ in range(PATIENCE_MS):
        if condition():
            return True
        await asyncio.sleep(0.001)
    return False


POINTS = {
    **stored("intent", "begin"),
    **{name: (Seam(KrakenPrivate, "place", wasteful), *parts) for name, parts in stored("block", "reserve").items()},
    "wire.before": (Seam(ClientRequest, "send", before(to_add_order)),),
    "wire.after": (Seam(ClientRequest, "write_bytes", request_left),),
    "reply.before": (Seam(ClientResponse, "start", reply_came),),
    "reply.after": (Seam(AiohttpHttp, "send", after(to_add_order)),),
    **stored("outcome", "record", kinds=OUTCOME),
    **stored("doubt", "record", kinds=DOUBT),
    **around("sweep", KrakenPrivate, "sweep"),
    **stored("verdict", "record", "record_fill", kinds=VERDICT),
    **stored("wish", "record", kinds=WISH),
    **around("cancel", KrakenPrivate, "cancel"),
    **around("key", KrakenPrivate, "check_key"),
    **around("adopt", Resolver, "adopt_all"),
    **around("tenure", SqliteStore, "confirm"),
    **around("drain", Door, "drain"),
}


# ---- the way in ----------------------------------------------------------------------------------------------------


def weakness(options):
    """The seams to wrap for these options: none without a point, all of them in a life that only counts."""
    if not options.point:
        return []
    name, _, nth = options.point.partition("=")
    action, _, seconds = options.action.partition("=")
    say = Log(options.log).say
    store = Store(say)
    strike = {"kill": kill, "stop": stop, "cut": lambda: store.cut(float(seconds or "inf")), "count": None}[action]
    passings = Passings(say, options.armed, int(nth or 1), strike)
    chosen = POINTS if name == "all" else {name: POINTS[name]}
    seams = [(seam, partial(passings.passed, each)) for each, parts in chosen.items() for seam in parts]
    # Outermost, so that a commit that was made just before the strike is told as failed.
    return seams if action != "cut" else [*seams, *((seam, None) for seam in store.seams())]


def options_of(words):
    parser = argparse.ArgumentParser(prog="python -m tests.fault.points")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--armed", type=Path)
    parser.add_argument("point", nargs="?", default="", help="POINT=NTH, or all")
    parser.add_argument("action", nargs="?", default="count", help="kill, stop, cut, cut=SECONDS or count")
    return parser.parse_args(words)


def main(words):
    end = words.index("--")
    sys.argv = ["execsvc", *words[end + 1 :]]
    with installed(weakness(options_of(words[:end]))):
        execsvc.__main__.main()


if __name__ == "__main__":
    main(sys.argv[1:])
