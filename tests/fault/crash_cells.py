"""The cells of the crash matrix: which point is struck how, in which story, and what must then be true.

A cell is one exchange, one store, one order and one blow. The points are points.py; what happens in a cell is
crash_stories.py, and whatever comes at random storm.py.
"""

from dataclasses import dataclass

from tests.fault.callers import FILLING_AT, RESTING_AT

SHORT_S = 3.0  # longer than the lane's patience of 2 s, and than a stall that an owner bears
PAST_DEADLINE_S = 6.5  # than the 5 s in which an order may enter
SLOW = {"kind": "delay", "call": "AddOrder", "ms": 1500, "when": "after"}
FATES = {
    "taken": (),
    "lost": ({"kind": "request_lost", "call": "AddOrder"},),
    # The stream would tell before anybody looks.
    "unanswered": (
        {"kind": "feed_silent", "line": "private"},
        {"kind": "reply_lost_after_apply", "call": "AddOrder"},
    ),
    # As above, and for two of the three seconds of V nobody can find it.
    "unseen": (
        {"kind": "feed_silent", "line": "private"},
        {"kind": "index_lag", "ms": 2000},
        {"kind": "reply_lost_after_apply", "call": "AddOrder"},
    ),
    "paged": ({"kind": "bad_gateway", "call": "AddOrder", "applied": True},),
    "late": ({"kind": "delay", "call": "AddOrder", "ms": 4000, "when": "wire"},),
}


@dataclass(frozen=True)
class Cell:
    """One blow: kill, stop (for so many seconds), cut (so long; 0: until the process is replaced), or none."""

    point: str
    blow: str
    fate: str = "taken"
    seconds: float = SHORT_S
    truth: str = ""  # placed or absent where nothing else can be true

    def __str__(self):
        return f"{self.point}-{self.blow}{'' if self.seconds == SHORT_S else f'-{self.seconds:g}s'}-{self.fate}"

    @property
    def limit_price(self):
        """An order that fills at once leaves its id free: whoever sent it again would place it again."""
        resting = self.blow == "cut" or self.point.partition(".")[0] in CANCELLING
        return RESTING_AT if resting else FILLING_AT

    @property
    def waits_for_its_wish(self):
        """Killed with a cancel on record: it is for the next life to pursue."""
        return self.blow == "kill" and self.point in {"wish.after", "cancel.before", "cancel.after"}

    @property
    def action(self):
        if self.blow == "none":
            return "count"
        return f"cut={self.seconds}" if self.blow == "cut" and self.seconds else self.blow


# ---- the table -----------------------------------------------------------------------------------------------------

BLOWS = ("kill", "stop", "cut")
SENDING = ("intent", "block", "wire", "reply", "outcome")
DECIDING = ("doubt", "sweep", "verdict")
CANCELLING = ("wish", "cancel")
HOLDING = ("tenure",)
STARTING = ("key", "adopt")
ENDING = ("drain",)
# Killed there, its request never left, and it had become an intent.
UNSENT = ("intent.after", "block.before", "block.after", "wire.before")
# Paused there, the time to enter may run out before it is sent: then it is not, or is as another attempt.
OPEN = (*UNSENT, "intent.before")


def sides(names):
    return [f"{name}.{side}" for name in names for side in ("before", "after")]


def of_sending(point, blow):
    if blow == "kill":
        return "absent" if point in UNSENT else "placed"
    return "" if point in OPEN else "placed"


def of_fate(fate):
    return "absent" if fate == "lost" else "placed"


def sending_cells():
    """Every point from the intent to the outcome, of an order that the exchange would take."""
    yield from (Cell(point, blow, truth=of_sending(point, blow)) for point in sides(SENDING) for blow in BLOWS)


def deciding_cells():
    """Every point from the doubt to the verdict: killed with either truth, else with one at each side."""
    for point in sides(DECIDING):
        early = point.endswith("before")
        yield from (Cell(point, "kill", fate, truth=of_fate(fate)) for fate in ("lost", "unanswered"))
        for blow, fate in (("stop", "lost" if early else "unanswered"), ("cut", "unanswered" if early else "lost")):
            yield Cell(point, blow, fate, truth=of_fate(fate))


UNSTRUCK = tuple(
    Cell("reply.after", "none", fate, truth=of_fate(fate)) for fate in ("taken", "lost", "unanswered", "paged")
)
CELLS = (
    *UNSTRUCK,
    *sending_cells(),
    *deciding_cells(),
    *(
        Cell(point, blow, truth="placed")
        for point in sides((*HOLDING, *CANCELLING, *STARTING, *ENDING))
        for blow in BLOWS
    ),
    Cell("intent.after", "stop", seconds=PAST_DEADLINE_S),
    Cell("wire.before", "stop", seconds=PAST_DEADLINE_S, truth="absent"),
    *(Cell(point, "stop", seconds=PAST_DEADLINE_S, truth="placed") for point in ("wire.after", "reply.before")),
    *(Cell(point, "cut", seconds=0, truth="placed") for point in ("wire.after", "outcome.after")),
    Cell("verdict.before", "cut", "lost", seconds=0, truth="absent"),
    *(Cell(point, "kill", "unseen", truth="placed") for point in ("doubt.before", "sweep.after")),
    Cell("sweep.before", "stop", "unseen", truth="placed"),
    # The request reaches the exchange when the key has long been used with later nonces.
    *(Cell("wire.after", blow, "late") for blow in ("kill", "stop")),
)
