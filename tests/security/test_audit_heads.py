"""The heads that a gateway writes to its log, and the audit verbs on its store: beside it while it runs, and afterwards.

Each verb is a process of its own, as a person starts it.
"""

import json
import shutil
import subprocess
import sys

import pytest

from tests.security.audit_rig import changing, real_run
from tests.support.processes import clean_environ, free_port, running, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return real_run(tmp_path_factory.mktemp("home"))


def execsvc(home, *words):
    """One command line of a person: exit code, stdout, stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "execsvc", *words],
        env=clean_environ(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def heads_told(log):
    return [line for line in map(json.loads, log.splitlines()) if line["event"] == "audit.head"]


def test_a_gateway_tells_the_heads_at_start_and_at_stop(run):
    """Twice a life, with the hash in full: what was added in between lies between the two."""
    lines = [line for line in run.log.splitlines() if line.startswith("{")]
    told = [(each["account"], each["sequence"]) for each in heads_told("\n".join(lines))]
    grown = [sequence for _, sequence in told]
    assert (sorted(grown), {"main"}) == (grown, {account for account, _ in told})
    assert len(told) >= 3  # of a store without any entry there is no head yet
    assert grown[0] < grown[-1]


def test_the_log_of_a_gateway_proves_its_store_and_gives_away_an_older_copy(run, tmp_path):
    """The same log lines: the store they are of passes, the copy of before does not."""
    log = tmp_path / "gateway.log"
    log.write_text(f"Nov 26 07:00:00 host execsvc[1]: not JSON {{\n{run.log}")
    now = execsvc(tmp_path, "audit", "verify", "--store", str(run.store), "--heads", str(log))
    before = execsvc(tmp_path, "audit", "verify", "--store", str(run.older), "--heads", str(log))
    assert (0, 1) == (now[0], before[0]), now + before
    assert "older copy" in before[1]


def test_a_running_gateway_can_be_verified_and_is_not_disturbed(run, tmp_path):
    """The chain is read beside the writer; afterwards the gateway still takes orders."""
    from execsvc_client import SyncClient

    store = run.copy(tmp_path / "execsvc.db")
    listen = f"127.0.0.1:{free_port()}"
    words = ["serve", "--listen", listen, "--http", "off", "--store", f"sqlite:///{store}"]
    with running(words, clean_environ(tmp_path, EXECSVC_TOKENS="off")) as gateway:
        wait_serving(listen)
        with SyncClient(listen) as client:
            (ticker,) = client.tickers("BTC/USD")
            price = f"{ticker.bid_price * 97 // 100}.0"
            client.buy("BTC/USD", quantity="0.001", limit_price=price, client_order_id="before")
            first = execsvc(tmp_path, "audit", "verify", "--store", str(store), "-o", "json")
            client.buy("BTC/USD", quantity="0.001", limit_price=price, client_order_id="after")
            second = execsvc(tmp_path, "audit", "verify", "--store", str(store), "-o", "json")
        assert gateway.stop() == 0
    one, two = json.loads(first[1]), json.loads(second[1])
    assert (True, True) == (one["whole"], two["whole"])
    assert one["accounts"][0]["head"]["sequence"] < two["accounts"][0]["head"]["sequence"]


def test_a_flaw_is_printed_with_its_place_and_ends_with_exit_1(run, tmp_path):
    """Which entry, and that the row was changed; nothing else is wrong."""
    store = run.copy(tmp_path / "execsvc.db")
    with changing(store) as sql:
        sql.execute("UPDATE orders SET body = replace(body, '58000', '57000') WHERE client_order_id = 'life0-0'")
    code, out, _ = execsvc(tmp_path, "audit", "verify", "--store", str(store))
    assert (1, ["  FLAW  order local/life0-0 says otherwise than its newest entry: the row was changed"]) == (
        code,
        [line for line in out.splitlines() if "FLAW" in line],
    )


def test_a_head_that_was_kept_is_where_the_next_check_may_begin(run, tmp_path):
    """With --since-head only what came after is walked, and the head itself must be in the chain."""
    kept = tmp_path / "head.jsonl"
    kept.write_text(execsvc(tmp_path, "audit", "head", "--store", str(run.older), "-o", "jsonl")[1])
    sequence = json.loads(kept.read_text())["sequence"]
    code, out, _ = execsvc(
        tmp_path, "audit", "verify", "--store", str(run.store), "--since-head", str(kept), "-o", "json"
    )
    (account,) = json.loads(out)["accounts"]
    assert (0, sequence, account["head"]["sequence"] - sequence) == (
        code,
        account["after"]["sequence"],
        account["entries"],
    )
    forged = kept.read_text().replace(json.loads(kept.read_text())["hash"], "00" * 32)
    kept.write_text(forged)
    assert 1 == execsvc(tmp_path, "audit", "verify", "--store", str(run.store), "--since-head", str(kept))[0]


def test_the_export_is_every_entry_with_enough_to_compute_the_hashes_again(run, tmp_path):
    """From the journal's name and the bodies alone, by the formula of the reference page."""
    import hashlib

    code, out, _ = execsvc(tmp_path, "audit", "export", "--store", str(run.store), "--bodies")
    rows = [json.loads(line) for line in out.splitlines()]
    head = json.loads(execsvc(tmp_path, "audit", "head", "--store", str(run.store), "-o", "jsonl")[1])
    mark = hashlib.sha256(f"execsvc journal\n{head['journal']}\nmain".encode()).digest()
    with changing(run.store) as sql:
        times = [at for (at,) in sql.execute("SELECT at_ns FROM order_event ORDER BY seq")]
    for row, at_ns in zip(rows, times, strict=True):
        text = f"{row['sequence']} {row['epoch']} {at_ns} {row['kind']}\n{row['body']}"
        mark = hashlib.sha256(mark + text.encode()).digest()
        assert row["hash"] == mark.hex()
    assert (0, head["hash"], head["sequence"]) == (code, mark.hex(), len(rows))


def test_the_export_names_who_and_which_order_in_csv_too(run, tmp_path):
    """One line an entry, its columns as documented."""
    code, out, _ = execsvc(tmp_path, "audit", "export", "--store", str(run.store), "--format", "csv")
    lines = out.splitlines()
    assert (0, "account,sequence,time,epoch,kind,who,order,hash") == (code, lines[0])
    assert {"local"} == {line.split(",")[5] for line in lines[1:]}
    assert {"order", "fill", "amend"} == {line.split(",")[4] for line in lines[1:]}
    assert any(line.split(",")[6] == "life1-0" for line in lines)


def test_a_time_cuts_the_export(run, tmp_path):
    """From the moment named on, and until it: together they are the whole."""
    parts = [
        execsvc(tmp_path, "audit", "export", "--store", str(run.store), *words)[1].splitlines()
        for words in ((), ("--since", "2020-01-01"), ("--until", "2020-01-01"), ("--since", "2999-01-01"))
    ]
    assert [len(parts[0]), len(parts[0]), 0, 0] == [*map(len, parts)]


def test_a_store_in_a_folder_that_cannot_be_written_can_be_read(run, tmp_path):
    """A copy on a medium of its own: SQLite's side files cannot be made there, and nothing needs them."""
    (tmp_path / "copy").mkdir()
    store = shutil.copy(run.store, tmp_path / "copy" / "execsvc.db")
    (tmp_path / "copy" / "execsvc.db-shm").mkdir()  # where SQLite would make its own: root may write anywhere
    assert 0 == execsvc(tmp_path, "audit", "verify", "--store", str(store))[0]


def test_a_file_without_heads_is_no_comparison(run, tmp_path):
    """A check that compares nothing must not pass."""
    (tmp_path / "empty.log").write_text('{"event":"service.stopping"}\n')
    code, _, err = execsvc(
        tmp_path, "audit", "verify", "--store", str(run.store), "--heads", str(tmp_path / "empty.log")
    )
    assert (2, True) == (code, "no head" in err)


def test_an_account_that_is_not_there_is_named(run, tmp_path):
    """With those there are."""
    code, _, err = execsvc(tmp_path, "audit", "verify", "--store", str(run.store), "--account", "second")
    assert (2, True) == (code, "second: main" in err)
