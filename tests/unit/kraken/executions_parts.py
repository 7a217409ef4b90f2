"""A private session as its tests want it: sans I/O, and a keeper of the counts that remembers what it was told."""

import json

from kraken_parts import VECTORS, known_names

from execsvc.kraken.private_session import PrivateSession
from execsvc.kraken.pulse import Pulse
from execsvc.kraken.venuetime import VenueTime

TOKEN = "G38a1tGFzqGiUCmnegBcm8d4nfP3tytiNQz6tkCBYXY"
ACK = {"method": "subscribe", "success": True, "result": {"channel": "executions"}, "req_id": 1}


class Told(list):
    """What the keeper of the counts was told, in order; `links` apart."""

    def __init__(self):
        super().__init__()
        self.links = []

    def seen(self, symbol, order_id, *, is_open):
        self.append(("seen", symbol, order_id, is_open))

    def amended(self, symbol, order_id):
        self.append(("amended", symbol, order_id))

    def all_open(self, orders, since):
        self.append(("all open", sorted(orders), since))

    def link(self, which):
        self.links.append(which)

    def told(self, symbol, level):
        self.append(("told", symbol, level))

    def told_maximum(self, maximum):
        self.append(("maximum", maximum))


def session(counts=None, used=lambda: None):
    opened = PrivateSession(
        token=TOKEN,
        account="main",
        names=known_names(),
        pulse=Pulse(VenueTime()),
        counts=Told() if counts is None else counts,
        used=used,
    )
    opened.opened(100.0, 100)
    return opened


def frame(rows, sequence, kind="update"):
    return {"channel": "executions", "type": kind, "data": rows, "sequence": sequence}


def gets(private, message):
    text = message if isinstance(message, bytes) else json.dumps(message).encode()
    return private.receive(text, 100.1, 100)


def sample(name):
    return (VECTORS / f"{name}.json").read_bytes()
