"""The crash matrix: kill -9, a stop or a dead store at every named point of an order's way; one order or none, and known.

Every cell is green, or the promise is not kept. The cells are crash_cells.py; they run side by side, each test reads one.
The launcher is held to its own rules as well: it wraps what it is asked to, and every point is really passed.
"""

import statistics
import subprocess
import sys
from functools import partial

import pytest

from tests.fault import points
from tests.fault.callers import cancel, client_of, place
from tests.fault.crash_cells import CELLS, FATES, UNSTRUCK, Cell
from tests.fault.crash_stories import NAME, QUANTITY, Matrix, is_cancelled
from tests.fault.lives import exchange_in, gateway_on
from tests.fault.nursery import ROOT
from tests.fault.seams import Seam, about, after, before, installed

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]
USUALLY_S = 1.0  # a positive is usually known within this: P2


@pytest.fixture(scope="session")
def matrix(request, tmp_path_factory, nursery):
    """All cells that this run selected, begun at once; those without a blow where only their figures are asked for."""
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    chosen = [cell for found in parameters if isinstance(cell := found.get("cell"), Cell)]
    running = Matrix(chosen or UNSTRUCK, lambda: tmp_path_factory.mktemp("cell"), nursery)
    yield running
    running.close()


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_struck_anywhere_it_is_one_order_or_none_and_the_caller_knows_which(matrix, cell):
    """Whatever strikes where: the exchange takes the order once at most, and the definite answer is true and stays so."""
    outcome = matrix.outcome(cell)
    assert outcome.wrong == (), outcome.story


def test_the_truth_usually_comes_at_once(matrix, tell):
    """Half of the positives are known within a second of being reachable again; the figures are told at the end."""
    outcomes = {word: matrix.outcomes(word) for word in ("placed", "absent")}
    middles_s = {word: statistics.median(each.seconds for each in found) for word, found in outcomes.items() if found}
    tell(f"{'crash matrix':14}{'cells':>6}{'p50':>9}{'max':>9}   slowest")
    for word, middle_s in middles_s.items():
        slowest = outcomes[word][-1]
        tell(f"  {word:12}{len(outcomes[word]):6}{middle_s:7.2f} s{slowest.seconds:7.2f} s   {slowest.cell}")
    assert middles_s["placed"] <= USUALLY_S


def test_every_point_is_passed_in_an_ordinary_life(tmp_path, nursery):
    """An order taken, one unanswered, a cancel and a SIGTERM pass all points there are: no cell is disarmed unseen."""
    with exchange_in(tmp_path, nursery) as exchange, gateway_on(tmp_path, nursery, exchange) as gateway:
        gateway.start_weak("all", "count")
        gateway.serving()
        with client_of(gateway.target) as client:
            assert place(client, NAME, QUANTITY).word == "placed"
            assert is_cancelled(cancel(client, NAME))
            for fault in FATES["unanswered"]:
                exchange.fault(**fault)
            assert place(client, "c-2", QUANTITY).word == "placed"
        assert gateway.life.stop() == 0
        assert {point for _, _, point in gateway.log()} == set(points.POINTS)


def test_a_life_without_a_point_is_a_plain_life(tmp_path, nursery):
    """The launcher without a point wraps nothing, serves as execsvc itself does, and says nothing of its own."""
    standing = functions()
    with installed(points.weakness(points.options_of([]))):
        assert functions() == standing
    with exchange_in(tmp_path, nursery) as exchange, gateway_on(tmp_path, nursery, exchange) as gateway:
        gateway.start()
        gateway.serving()
        with client_of(gateway.target) as client:
            assert place(client, NAME, QUANTITY).word == "placed"
        assert gateway.life.stop() == 0
        assert gateway.log() == []


@pytest.mark.parametrize("point", points.POINTS)
def test_a_point_wraps_its_own_seams_and_gives_them_back(tmp_path, point):
    """Only the seams of the point that was asked for are wrapped, and only while the process lives."""
    standing = functions()
    options = points.options_of(["--log", str(tmp_path / "log"), f"{point}=1", "kill"])
    with installed(points.weakness(options)):
        changed = {place for place, function in functions().items() if function is not standing[place]}
    assert {(seam.owner, seam.name) for seam in points.POINTS[point]} == changed
    assert functions() == standing


def test_the_launcher_is_a_program_that_does_what_execsvc_does():
    """`python -m tests.fault.points -- ARGUMENTS` says and gives what `python -m execsvc ARGUMENTS` does."""
    ways = (["tests.fault.points", "--"], ["execsvc"])
    told = [
        subprocess.run([sys.executable, "-m", *way, "version"], cwd=ROOT, capture_output=True, text=True, check=False)
        for way in ways
    ]
    assert (0, told[1].stdout) == (told[0].returncode, told[0].stdout)


async def test_what_is_wrapped_answers_and_fails_as_before():
    """A point is passed before or after its call, in that sequence; result and error go through, and an error ends it."""
    told = []

    class Seamed:
        async def ask(self, word):
            told.append(word)
            if word == "wrong":
                raise LookupError(word)
            return word.upper()

        def say(self, word):
            told.append(word)
            return word.upper()

    sides = {"before": before, "after": after}
    wraps = [
        (Seam(Seamed, name, wrap(about(str))), partial(told.append, f"{side} {name}"))
        for name in ("ask", "say")
        for side, wrap in sides.items()
    ]
    with installed(wraps):
        assert (await Seamed().ask("right"), Seamed().say("right")) == ("RIGHT", "RIGHT")
        with pytest.raises(LookupError, match="wrong"):
            await Seamed().ask("wrong")
    assert told == ["before ask", "right", "after ask", "before say", "right", "after say", "before ask", "wrong"]


def functions():
    """What stands at every seam of every point now."""
    seams = [seam for parts in points.POINTS.values() for seam in parts]
    return {(seam.owner, seam.name): vars(seam.owner)[seam.name] for seam in seams}
