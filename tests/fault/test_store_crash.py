"""The embedded store against real deaths: kill -9 under load, a torn write-ahead log, a disk that fills in mid-commit.

A process that is killed cannot tell what it promised, so it says every answer it got on a pipe before it goes on; the
test then looks whether the file keeps those promises. A power cut is played by cutting the log at any byte.
"""

import asyncio
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from execsvc.domain.errors import Busy
from execsvc.domain.order import Acknowledged, Status
from execsvc.store import records
from execsvc.store.database import Birth, open_database
from execsvc.store.sqlite import open_sqlite
from tests.support.chains import flaws_of
from tests.unit.store.samples import SECRET, Chance, StillClock, intent_of, key_of

pytestmark = pytest.mark.process
ROOT = Path(__file__).parents[2]
KILLS_LEAST, KILLS_MOST, KILLING_S = 5, 60, 4.0


def say(*words):
    """One answer, on the pipe before the next line of code runs."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


# ---- what the dying processes do -----------------------------------------------------------------------------------


async def trade_until_killed(path, life):
    """Eight callers begin and acknowledge orders and take nonces for ever, telling each answer."""
    store = await open_sqlite(path, entropy=Chance(), clock=StillClock())
    say("open", store.epoch)

    async def caller(number):
        floor = 0
        for turn in range(10**6):
            name = f"{life}-{number}-{turn}"
            await store.begin(intent_of(key_of(name)), 1_000)
            say("begun", name)
            await store.record(key_of(name), Acknowledged(f"OTX-{name}"), 1_001)
            say("acknowledged", name)
            block = await store.reserve("key", floor, 10)
            say("reserved", block[0], block[-1])

    await asyncio.gather(*[caller(number) for number in range(8)])


async def trade_until_full(path):
    """Writes until the kernel refuses to let the files grow, then with the limit lifted."""
    store = await open_sqlite(path, entropy=Chance(), clock=StillClock())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    number, refused, more = 0, 0, 20
    while more and number < 2_000:
        number += 1
        try:
            await store.begin(intent_of(key_of(f"id{number}")), 1_000)
            say("begun", f"id{number}")
            more -= refused > 0
        except Busy as busy:
            say("refused", str(busy))
            refused += 1
            if refused == 3:
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await store.close()


def nurse(path):
    """Bears a new trader for every line it is sent; a fork is quicker than a start."""
    for life in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(trade_until_killed(path, life.strip()))
        say("born", child)
        os.waitpid(child, 0)
        say("dead", child)


# ---- the tests -----------------------------------------------------------------------------------------------------


@contextmanager
def process(mode, path):
    """A process that runs this file, gone when the block ends whatever happens in it."""
    command = [sys.executable, "-m", "tests.fault.test_store_crash", mode, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def one_life(nursery, life, seconds):
    """Lets a trader live so long, kills it, and returns all it said."""
    nursery.stdin.write(f"{life}\n")
    nursery.stdin.flush()
    said, child, ends = [], None, None
    while True:
        words = json.loads(nursery.stdout.readline())
        if words[0] == "dead":
            return said
        if words[0] == "born":
            child = words[1]
        else:
            said.append(words)
            ends = ends or time.monotonic() + seconds
        if child and ends and time.monotonic() >= ends:
            os.kill(child, signal.SIGKILL)
            child = None


def check_promises(path, said, water, names="%"):
    """What one trader was told is in the file, its orders being named like `names`; returns the nonces' high water."""
    with closing(sqlite3.connect(path)) as raw:
        kept = {
            name: records.order_of(body)
            for name, body in raw.execute(
                "SELECT client_order_id, body FROM orders WHERE client_order_id LIKE ?", (names,)
            )
        }
        (high,) = raw.execute("SELECT coalesce(max(high_water), '0') FROM nonce").fetchone()
    begun = [name for word, name, *_ in said if word == "begun"]
    acknowledged = [name for word, name, *_ in said if word == "acknowledged"]
    reserved = sorted((first, last) for word, first, *rest in said if word == "reserved" for last in rest)
    assert [] == [name for name in begun if name not in kept]
    assert [] == [name for name in acknowledged if kept[name].status is not Status.OPEN]
    for first, last in reserved:
        assert first > water
        water = last
    assert int(high) >= water
    return int(high)


def check_whole(path):
    """The file is sound, sequences have no hole, the chain holds, and the journal's last word is the order's state."""
    with closing(sqlite3.connect(path)) as raw:
        assert [("ok",)] == raw.execute("PRAGMA integrity_check").fetchall()
        entries = raw.execute("SELECT seq, body FROM order_event WHERE account = 'main' ORDER BY seq").fetchall()
        orders = {records.order_of(body).key: body for (body,) in raw.execute("SELECT body FROM orders")}
        wires = raw.execute("SELECT count(*) FROM wire_id").fetchone()[0]
    assert list(range(1, len(entries) + 1)) == [sequence for sequence, _ in entries]
    assert orders == {records.order_of(body).key: body for _, body in entries}
    assert len(orders) == wires
    assert {()} >= {*flaws_of(path).values()}
    return len(entries)


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    """Killed again and again under load: every answer given is in the file, nonces never go back, no entry is missing."""
    path, water, told, kills = tmp_path / "x.db", 0, 0, 0
    dice, ends = random.Random(7), time.monotonic() + KILLING_S
    with process("nurse", path) as nursery:
        while kills < KILLS_LEAST or (kills < KILLS_MOST and time.monotonic() < ends):
            said = one_life(nursery, kills, dice.uniform(0.0, 0.05))
            water = check_promises(path, said, water, f"{kills}-%")
            told += len(said)
            kills += 1
    assert kills < told
    assert 0 < check_whole(path)


async def test_a_log_torn_anywhere_is_a_shorter_past(tmp_path):
    """The log cut or garbled at any byte, as a power cut may leave it: what is found is a whole earlier state."""
    path = tmp_path / "x.db"
    store = await open_sqlite(path, entropy=Chance(), clock=StillClock())
    for number in range(12):
        await store.begin(intent_of(key_of(f"id{number}")), 1_000)
        await store.record(key_of(f"id{number}"), Acknowledged(f"OTX-{number}"), 1_001)
    log = path.with_name("x.db-wal").read_bytes()
    found = []
    for step in range(40):
        at = len(log) * step // 39
        torn = tmp_path / f"{step}" / "x.db"
        torn.parent.mkdir()
        shutil.copy(path, torn)
        rest = b"\xa5" * (len(log) - at) if step % 2 else b""
        torn.with_name("x.db-wal").write_bytes(log[:at] + rest)
        open_database(torn, Birth("journal", SECRET, 1)).close()
        found.append(check_whole(torn))
    await store.close()
    assert sorted(found) == found
    assert (0, 24) == (found[0], found[-1])
    assert 10 < len({*found})


def test_a_disk_that_fills_in_mid_commit_loses_nothing(tmp_path):
    """The kernel refuses a write inside a commit: those in it are told, nothing acknowledged is lost, and it goes on."""
    path = tmp_path / "x.db"
    with process("full", path) as dying:
        out, _ = dying.communicate(timeout=30)
    said = [json.loads(line) for line in out.splitlines()]
    words = [word for word, _ in said]
    first = words.index("refused")
    assert 0 == dying.returncode
    assert ["refused"] * 3 + ["begun"] * 20 == words[first:]
    check_promises(path, [[word, name] for word, name in said if word == "begun"], 0)
    check_whole(path)


if __name__ == "__main__":
    target = Path(sys.argv[2])
    match sys.argv[1]:
        case "nurse":
            nurse(target)
        case "full":
            asyncio.run(trade_until_full(target))
