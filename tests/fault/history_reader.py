"""A reader of all orders as a process of its own, to be killed: it notes what it is told and goes on from its last token.

Every event is one line of JSON with the token that came with it, written at once, so a kill -9 tears a line at most. A new
life may go some lines back, as one does that kept its token less often than its books. `Reader` is a test's side, `main` the
process's. What is right is history_judge.py.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import aclosing, closing
from pathlib import Path

import grpc
from execsvc_api.v1 import order_service_pb2 as wire
from execsvc_api.v1 import order_service_pb2_grpc as stubs
from execsvc_client import Client, FillUpdate, OpenOrders, OrderScope, OrderUpdate
from google.protobuf.json_format import MessageToDict

from tests.fault.lives import CHANNEL
from tests.fault.nursery import ROOT

AGAIN_S = 0.05
KINDS = ("raw", "client")


# ---- the test's side -----------------------------------------------------------------------------------------------


class Reader:
    """One notebook and the lives of its reader; `kind` is raw (the bare stub) or client (our own, which resumes itself)."""

    def __init__(self, gateway, kind):
        self.kind = kind
        self.notebook = gateway.home / f"notebook-{kind}"
        self.lives = 0
        self._target = gateway.target
        self._process = None
        self._said = gateway.home / f"reader-{kind}"
        gateway.at_close(self.kill)

    def start(self, back=0):
        """The next life; it asks for the last `back` lines once more."""
        self.lives += 1
        words = [sys.executable, "-m", "tests.fault.history_reader", self._target, self.notebook, self.kind, str(back)]
        with self._said.open("a") as said:
            self._process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=said, stderr=said)

    def kill(self):
        """Kill -9. A reader that ended by itself before is a failure."""
        if self._process is None:
            return
        code = self._process.poll()
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process = None
        assert code in {None, -signal.SIGKILL}, f"the reader ended with {code}; it said:\n{self._said.read_text()}"

    @property
    def rows(self):
        """All whole lines so far."""
        return whole_lines(self.notebook)[0]

    def has_snapshot(self):
        """Whether its first picture is complete."""
        return any(row.get("complete") for row in self.rows)


def whole_lines(path):
    """The rows of a notebook, and how many bytes they take: the rest is a line that a kill tore."""
    text = path.read_bytes() if path.exists() else b""
    size = text.rfind(b"\n") + 1
    return [json.loads(line) for line in text[:size].splitlines()], size


# ---- the process's side ----------------------------------------------------------------------------------------------


class Notebook:
    """The lines of all lives. `token` is where this one begins, None for a fresh picture."""

    def __init__(self, path, back):
        rows, size = whole_lines(path)
        pictured = [number for number, row in enumerate(rows) if row.get("complete")]
        known = [row["token"] for row in rows[pictured[0] :] if "token" in row] if pictured else []
        self.token = known[max(0, len(known) - 1 - back)] if known else None
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.ftruncate(self._file, size)
        self._write({"event": "life", "resumed": self.token is not None})

    def order(self, order, token):
        self._note("order", token, order=_plain(order))

    def fill(self, fill, token):
        self._note("fill", token, fill=_plain(fill))

    def snapshot(self, orders, token, *, complete):
        self._note("snapshot", token, orders=[_plain(order) for order in orders], complete=complete)

    def _note(self, event, token, **held):
        self._write({"event": event, "token": token, **held})
        self.token = token

    def _write(self, row):
        os.write(self._file, json.dumps(row).encode() + b"\n")


def _plain(message):
    return MessageToDict(message, preserving_proto_field_name=True)


def read_raw(target, notebook):
    """The bare stub, opened again with the last token whenever the stream ends for want of a server."""
    with closing(grpc.insecure_channel(target, CHANNEL)) as channel:
        subscribe = stubs.OrderServiceStub(channel).SubscribeOrders
        while True:
            try:
                request = wire.SubscribeOrdersRequest(resume_token=notebook.token, scope=wire.ORDER_SCOPE_ACCOUNT)
                for message in subscribe(request, wait_for_ready=True):
                    _note_raw(notebook, message)
            except grpc.RpcError as failure:
                if failure.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            time.sleep(AGAIN_S)


def _note_raw(notebook, message):
    match message.WhichOneof("event"):
        case "order":
            notebook.order(message.order, message.resume_token)
        case "fill":
            notebook.fill(message.fill, message.resume_token)
        case "snapshot":
            part = message.snapshot
            notebook.snapshot(part.orders, message.resume_token, complete=part.complete)
        case "gap":
            raise AssertionError(f"the journal has no holes, and here is one: {message.gap}")


async def read_client(target, notebook):
    """Our own client, which opens the stream again by itself."""
    async with (
        Client(target, channel=grpc.aio.insecure_channel(target, CHANNEL)) as client,
        aclosing(client.orders_stream(resume_token=notebook.token, scope=OrderScope.ACCOUNT)) as events,
    ):
        async for event in events:
            match event:
                case OrderUpdate():
                    notebook.order(event.order.wire, event.resume_token)
                case FillUpdate():
                    notebook.fill(event.fill.wire, event.resume_token)
                case OpenOrders():
                    notebook.snapshot([each.wire for each in event.orders], event.resume_token, complete=True)


def _die_with_the_test():
    sys.stdin.buffer.read()
    os._exit(1)


def main(target, path, kind, back):
    """Reads until it is killed, or whoever started it is gone."""
    threading.Thread(target=_die_with_the_test, daemon=True).start()
    notebook = Notebook(path, int(back))
    if kind == "raw":
        read_raw(target, notebook)
    else:
        asyncio.run(read_client(target, notebook))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
