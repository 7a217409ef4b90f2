"""Parts that the tests of the public session share: a session on an open line, and published frames."""

import json

from kraken_parts import VECTORS, known_names

from execsvc.domain.market import Beat
from execsvc.kraken.feed import FeedSession
from execsvc.kraken.pulse import Pulse
from execsvc.kraken.venuetime import VenueTime

S = 10**9


class Link:
    """A session on an open line, with both clocks in hand."""

    def __init__(self, *topics):
        self.venue_time = VenueTime()
        self.session = FeedSession(
            instrument=known_names().instrument, pulse=lambda: Pulse(self.venue_time, silent_after_s=5.0)
        )
        self.now = 100.0
        self.session.want(frozenset(topics))
        self.opened = self.session.opened(self.now, self.wall)

    @property
    def wall(self):
        return int(self.now * S)

    def says(self):
        return [json.loads(text) for text in self.session.due(self.now, self.wall)]

    def requests(self):
        return [message for message in self.says() if message["method"] != "ping"]

    def gets(self, frame, *, after=0.01):
        self.now += after
        text = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        return self.session.receive(text, self.now, self.wall)

    def sees(self, frame, **rest):
        return [event for event in self.gets(frame, **rest) if not isinstance(event, Beat)]


def sample(name):
    return (VECTORS / f"{name}.json").read_bytes()
