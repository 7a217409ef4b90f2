"""Books: what an update of a book costs from the frame to the checked change, and what others need for the same: G9.

The product's own session (kraken/feed.py) is given the text of one frame after the other, as its loop gives it; a first
build, other people's clients and the mere parsing have the same frames, each in a process of its own on the same core. No
socket is in it. Prints a table and writes it to benchmarks/results/.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import bookpeers
import goals
import msgspec
import peers
from bookstream import PRICE_DECIMALS, QUANTITY_DECIMALS, SYMBOL, Stream, made, recorded
from goals import Goal, ratios
from processes import cores, on

from execsvc.domain.instrument import Instrument, InstrumentStatus
from execsvc.domain.market import BookSeen, BookTopic, EventTimes
from execsvc.kraken import frames, wire
from execsvc.kraken.feed import BOOK_UPDATE, FeedSession
from execsvc.kraken.ladder import Ladder
from execsvc.kraken.pulse import Pulse
from execsvc.kraken.venuetime import VenueTime

RESULTS = Path(__file__).resolve().parent / "results"
ROUNDS = 3
EXECSVC, CHECKED = "execsvc, changes told", "execsvc, as far as the checked book"
PARSING = "parsing alone (msgspec, typed)"
FRAME_NS = 1_000_000  # a frame each millisecond, by the session's clocks
SHARE_MOST, RATE_LEAST = 1 / 8, 250_000
STREAMS = (recorded(100), made(10, 20_000), made(100, 20_000), made(1000, 20_000))

Took = dict[str, dict[str, list[float]]]


def instrument() -> Instrument:
    """The pair of the streams."""
    step = Decimal(1)
    return Instrument(
        symbol=SYMBOL,
        base="BTC",
        quote="USD",
        status=InstrumentStatus.ONLINE,
        price_increment=step.scaleb(-PRICE_DECIMALS),
        price_decimals=PRICE_DECIMALS,
        quantity_increment=step.scaleb(-QUANTITY_DECIMALS),
        quantity_decimals=QUANTITY_DECIMALS,
        min_quantity=step.scaleb(-QUANTITY_DECIMALS),
        min_cost=step,
        cost_decimals=5,
        leverage_buy=(),
        leverage_sell=(),
        long_position_limit=None,
        short_position_limit=None,
        has_index=False,
        tokenized=False,
        venue_symbols=(),
    )


def session(depth: int) -> bookpeers.Take:
    """A session whose subscription was answered; it ends the run when a frame is not the next state of the book."""
    pair, now_ns = instrument(), 0
    feed = FeedSession(instrument=lambda _: pair, pulse=lambda: Pulse(VenueTime()))
    feed.want(frozenset({BookTopic(SYMBOL, depth)}))
    feed.opened(0.0, now_ns)
    asked = [json.loads(text) for text in feed.due(0.0, now_ns)]
    (request,) = (each for each in asked if each["method"] == "subscribe")
    result = {"channel": "book", "symbol": SYMBOL, "depth": depth}
    answer = {"method": "subscribe", "success": True, "req_id": request["req_id"], "result": result}
    feed.receive(json.dumps(answer).encode(), 0.0, now_ns)

    def take(text: bytes) -> None:
        nonlocal now_ns
        now_ns += FRAME_NS
        if type(feed.receive(text, now_ns / 1e9, now_ns)[0]) is not BookSeen:
            raise SystemExit("a book was lost")

    return take


def checked(depth: int) -> bookpeers.Take:
    """The product's decoder and ladder without the session around them: nothing is made ready for readers."""
    read, never = wire.decoder(frames.BookUpdate), EventTimes(None, 0)
    ladder = Ladder(BookTopic(SYMBOL, depth), price_decimals=PRICE_DECIMALS, quantity_decimals=QUANTITY_DECIMALS)

    def take(text: bytes) -> None:
        (row,) = read(text).data
        change = ladder.apply if text.startswith(BOOK_UPDATE) else ladder.load
        change(row.bids, row.asks, row.checksum, never)

    return take


def parsing(_: int) -> bookpeers.Take:
    """The frames read into the product's shapes, and nothing made of them."""
    return msgspec.json.Decoder(frames.BookUpdate).decode


OWN = MappingProxyType({PARSING: parsing, CHECKED: checked, EXECSVC: session})


# ---- measuring --------------------------------------------------------------------------------------------------------


def measure(name: str, frames: str, depth: str, sessions: str) -> None:
    """In a process of its own: one system on one stream."""
    texts = Path(frames).read_bytes().splitlines()
    print(json.dumps(bookpeers.measured(lambda: OWN[name](int(depth)), texts, int(sessions))))


def update_us(name: str, python: str, stream: Stream, frames: Path, core: int) -> float:
    """Microseconds of CPU an update takes there."""
    script = __file__ if name in OWN else bookpeers.__file__
    command = [python, script, name, str(frames), str(stream.depth), str(stream.sessions)]
    with on(core):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stderr}")
    found = json.loads(done.stdout)
    return 1e6 * float(found["cpu_s"]) / float(found["updates"])


def measured(folder: Path) -> Took:
    """Every system on every stream, in turn, round by round."""
    core, rest = cores()
    os.sched_setaffinity(0, {rest})
    clients = peers.python()
    systems = [(name, sys.executable) for name in (*OWN, bookpeers.NAIVE)]
    systems += [(name, clients) for name in bookpeers.CLIENTS if clients]
    took: Took = defaultdict(lambda: defaultdict(list))
    for number, stream in enumerate(STREAMS):
        frames = folder / f"{number}.frames"
        frames.write_bytes(b"\n".join(stream.frames))
        for _ in range(ROUNDS):
            for name, python in systems:
                took[stream.name][name].append(update_us(name, python, stream, frames, core))
    return took


# ---- telling ----------------------------------------------------------------------------------------------------------


def wanted(took: Took) -> list[Goal]:
    """What should hold of every stream."""
    found = []
    for name in (CHECKED, EXECSVC):
        for stream, rows in took.items():
            about, per_second = f"{name}, {stream}", [1e6 / each for each in rows[name]]
            found.append(Goal(f"G9 cost / first build: {about}", ratios(rows[name], rows[bookpeers.NAIVE]), SHARE_MOST))
            found.append(Goal(f"G9 updates per second and core: {about}", per_second, RATE_LEAST, least=True))
    return found


def told(took: Took, load: Sequence[float]) -> str:
    """The whole page."""
    lines = [
        f"Medians of {ROUNDS} rounds, CPU time of one core. Load average {load[0]:.1f} to {load[1]:.1f}.",
        "",
        "| stream | what | µs per update | updates per second and core | times execsvc, told |",
        "|---|---|---|---|---|",
    ]
    for stream, rows in took.items():
        for name, figures in rows.items():
            us, times = statistics.median(figures), statistics.median(ratios(figures, rows[EXECSVC]))
            lines.append(f"| {stream} | {name} | {us:.2f} | {1e6 / us:,.0f} | {times:.2f} |")
    lines += ["", *goals.table(wanted(took))]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures and writes."""
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(prefix="execsvc-bench-") as made_here:
        took = measured(Path(made_here))
    load.append(os.getloadavg()[0])
    text = told(took, load)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "books.md").write_text("# An update of a book: G9\n\n" + text)
    page = {"load": load, "us": took, "goals": goals.kept(wanted(took))}
    (RESULTS / "books.json").write_text(json.dumps(page, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    measure(*sys.argv[1:]) if len(sys.argv) > 1 else main()
