"""The cells of the chaos matrix: every toxic, on every link, in three phases. A table; test_chaos_matrix.py plays it.

before    on before the order is placed, off when the answer came or its time is over
during    switched on when the exchange has seen the order and its answer is still on the way
halfway   on before, and off while the order is under way: it is retried or looked for on a healthy link
"""

from dataclasses import dataclass

from tests.support.faultproxy_rig import wish
from tests.support.toxics import (
    Bandwidth,
    Dose,
    Down,
    DropReply,
    Duplicate,
    Latency,
    LimitData,
    Overtake,
    ReplacePage,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
)

PHASES = ("before", "during", "halfway")
ON_S = {  # to the exchange: just more than the 2 s that the lane waits for an answer
    "rest": {"before": 3.5, "during": 2.5, "halfway": 2.2},
    "ws": {"before": 2.8, "during": 2.5, "halfway": 2.2},
    "caller": {"before": 2.0, "during": 1.5, "halfway": 1.0},
}
ANSWER_TAKES_S = 0.3  # so long is a request under way when a toxic is to meet it there
PLACE = "/AddOrder"


def both_ways(toxic):
    return (Dose(toxic, "upstream", seed=1), Dose(toxic, "downstream", seed=2))


def up(toxic):
    return (Dose(toxic, "upstream"),)


def down(toxic):
    return (Dose(toxic, "downstream"),)


LOST = ("rest", Dose(DropReply(PLACE, silent=True)))
DEAF = ("ws", Dose(Timeout()))
SLOW = ("rest_line", Dose(Latency(ANSWER_TAKES_S)))
SLOW_NEWS = ("ws_line", Dose(Latency(ANSWER_TAKES_S)))
TOXICS = {
    "rest": {
        "latency": both_ways(Latency(0.8, 0.4)),
        "down": (Dose(Down()),),
        "bandwidth": up(Bandwidth(300)),
        "slow_close": both_ways(SlowClose(1.5)),
        "timeout up": up(Timeout()),
        "timeout down": down(Timeout(1.0)),
        "reset_peer up": up(ResetPeer()),
        "reset_peer down": down(ResetPeer()),
        "slicer": both_ways(Slicer(3, 2, 0.001)),
        "limit_data up": up(LimitData(100)),
        "limit_data down": down(LimitData(100)),
        "drop_reply": (Dose(DropReply(PLACE)),),
        "page 502": (Dose(ReplacePage(502, PLACE)),),
        "page 520": (Dose(ReplacePage(520, PLACE)),),
        "duplicate first": (Dose(Duplicate(PLACE, "first")),),
        "duplicate second": (Dose(Duplicate(PLACE, "second")),),
        "overtake": (Dose(Overtake(PLACE)),),
    },
    "ws": {
        "latency": both_ways(Latency(1.5, 0.5)),
        "down": (Dose(Down()),),
        "bandwidth": down(Bandwidth(100)),
        "slow_close": both_ways(SlowClose(1.5)),
        "timeout": down(Timeout()),
        "reset_peer": down(ResetPeer()),
        "slicer": both_ways(Slicer(2, 1, 0.0005)),
        "limit_data": down(LimitData(50)),
    },
    "caller": {
        "latency": both_ways(Latency(0.4, 0.3)),
        "down": (Dose(Down()),),
        "bandwidth": both_ways(Bandwidth(2000)),
        "slow_close": both_ways(SlowClose(1.0)),
        "timeout up": up(Timeout()),
        "timeout down": down(Timeout(1.0)),
        "reset_peer up": up(ResetPeer(0.05)),
        "reset_peer down": down(ResetPeer()),
        "slicer": both_ways(Slicer(3, 2, 0.0005)),
        "limit_data up": up(LimitData(300)),
        "limit_data down": down(LimitData(60)),
    },
}


MAY_COME_LATE = {"latency", "bandwidth", "timeout up"}  # let in after the gateway gave up, if there is time for it
LONGEST = {("rest", "reset_peer up"), ("rest", "limit_data up"), ("rest", "overtake")}
UPSTREAM_ONLY = {"bandwidth", "timeout up", "reset_peer up", "limit_data up", "overtake"}


@dataclass(frozen=True)
class Cell:
    """One toxic on one link in one phase; `number` makes its order unlike all others."""

    number: int
    link: str
    toxic: str
    phase: str

    def __str__(self):
        return f"{self.link}, {self.toxic}, {self.phase}"

    @property
    def wish(self):
        """Every second order is filled at once: then no id of it is open any more to stop a second one."""
        late = self.phase == "halfway" and self.toxic in MAY_COME_LATE
        return wish(self.number, fills=self.number % 2 == 0, entry_s=5.0 if late else 3.0)

    @property
    def doses(self):
        """Link and dose of what is tried here."""
        if (self.toxic, self.phase) == ("overtake", "during"):
            return (
                ("rest", Dose(Overtake(hold_s=4.0), times=1)),
            )  # the order is there: it is the look that is overtaken
        return tuple((self.link, dose) for dose in TOXICS[self.link][self.toxic])

    @property
    def companions(self):
        """What lets the toxic decide something: a slow answer to the placement or none, no news by another road."""
        slow = (SLOW,) if self.phase == "during" else ()
        if self.link == "ws":
            return (*slow, LOST, *((SLOW_NEWS,) if self.phase == "during" else ()))
        if self.link == "caller":
            return (SLOW,) if self.hangs_up else slow
        lost = self.toxic == "slow_close" or (self.phase == "during" and self.toxic in UPSTREAM_ONLY)
        return (*slow, *((LOST,) if lost else ()), *((DEAF,) if self.phase != "before" else ()))

    @property
    def hangs_up(self):
        """A close cannot be slow where nobody closes: here a caller does, while its order is under way."""
        return (self.link, self.toxic) == ("caller", "slow_close")

    @property
    def is_hung_up_on(self):
        """And here the exchange does."""
        return (self.link, self.toxic) == ("ws", "slow_close")

    @property
    def is_long(self):
        """It ends with the proof that nothing is there."""
        return (self.link, self.toxic) in LONGEST and self.phase != "during"

    @property
    def on_s(self):
        """How long the toxic is on at most; the answer ends it sooner."""
        return 6.0 if (self.toxic, self.phase) == ("overtake", "during") else ON_S[self.link][self.phase]


LONGEST = {
    ("reset_peer up", "rest"),
    ("limit_data up", "rest"),
    ("overtake", "rest"),
}  # these prove that nothing is there
CELLS = [
    Cell(number, *cell)
    for number, cell in enumerate(
        ((link, toxic, phase) for link, toxics in TOXICS.items() for toxic in toxics for phase in PHASES), start=1
    )
]
