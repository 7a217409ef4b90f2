"""The store of a real run, copied for each lie: a gateway before a paper exchange that placed, filled, amended and cancelled.

`lies` are what somebody may do to the file who can write it; each takes a connection with every check of SQLite's off, and a
number from 0 to 1 that says where.
"""

import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from execsvc_client import SyncClient

from execsvc.domain.modes import ModeEntry, Scope, TradingMode
from execsvc.runtime.clock import RealClock
from execsvc.runtime.entropy import RealEntropy
from execsvc.store.inspect import heads_of, inspecting
from execsvc.store.sqlite import open_sqlite
from tests.support.processes import clean_environ, free_port, paper_exchange, running, wait_serving

ORDERS = 12


@dataclass(frozen=True)
class Run:
    """What a run left: its store, stopped, an older copy of it, and the log of the gateway."""

    store: Path
    older: Path
    log: str

    def copy(self, to):
        """The file as it was, to be changed."""
        for side in ("", "-wal", "-shm"):  # another file each time, whoever may still have the last one open
            to.with_name(to.name + side).unlink(missing_ok=True)
        shutil.copy(self.store, to)
        return to


def real_run(home):
    """A gateway's life with a restart in the middle, after which the store was copied."""
    store, older = home / "execsvc.db", home / "older.db"
    said = ""
    with paper_exchange(home, "--tier", "unlimited") as exchange:
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        exchange.ask("POST", "/market", {"symbol": "BTC/USD", "frozen": True})
        exchange.ask("POST", "/market", {"symbol": "BTC/USD", "price": "60000.0", "qty": "5", "levels": 20})
        for life in range(2):
            listen = f"127.0.0.1:{free_port()}"
            words = ["serve", "--listen", listen, "--http", "off", "--store", f"sqlite:///{store}"]
            with running(words, clean_environ(home, EXECSVC_TOKENS="off", **venue)) as gateway:
                wait_serving(listen)
                with SyncClient(listen) as client:
                    trade(client, life)
                assert gateway.stop() == 0, gateway.said
                said += gateway.said
            if life == 0:
                shutil.copy(store, older)
    return Run(store, older, said)


def trade(client, life):
    """Resting ones, amended or cancelled, and ones that fill at once."""
    for number in range(ORDERS // 2):
        name = f"life{life}-{number}"
        client.buy("BTC/USD", quantity="0.001", limit_price="58000.0", client_order_id=name)
        if number % 3 == 1:
            client.amend(name, limit_price="58001.0", request_id="once")
        if number % 3 == 2:
            client.cancel(name)
        client.buy("BTC/USD", quantity="0.001", limit_price="60000.1", client_order_id=f"{name}-fills")


async def set_modes(store):
    """What a halt and a resume leave: written by the store itself, as the gateway would."""
    opened = await open_sqlite(store, entropy=RealEntropy(), clock=RealClock())
    try:
        for symbol, mode in (("BTC/USD", TradingMode.HALTED), ("ETH/USD", TradingMode.CANCEL_ONLY)):
            entry = ModeEntry(Scope("main", "", symbol), mode, "a drill", "admin", RealClock().wall_ns())
            await opened.set_mode("main", entry, RealClock().wall_ns())
        lifted = ModeEntry(Scope("main", "", "ETH/USD"), TradingMode.NORMAL, "over", "admin", RealClock().wall_ns())
        await opened.set_mode("main", lifted, RealClock().wall_ns())
    finally:
        await opened.close()


@contextmanager
def changing(path):
    """The file, with every check off, as a thief would open it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("PRAGMA ignore_check_constraints = ON")
        yield sql


def flaws_of(path, told=()):
    """Every flaw in the file, of whichever account."""
    with inspecting(path) as store:
        accounts = sorted({*store.accounts(), *(head.account for head in told)})
        return [flaw for account in accounts for flaw in store.verify(account, told=told).flaws]


def heads(path):
    return heads_of(path)


# ---- lies about an entry ----------------------------------------------------------------------------------------


def place(sql, where, table="order_event", key="event_no"):
    """The row at that part of a table."""
    rows = [row for (row,) in sql.execute(f"SELECT {key} FROM {table} ORDER BY {key}")]  # noqa: S608 - our own text
    return rows[min(int(where * len(rows)), len(rows) - 1)]


def _entry(text):
    def lie(sql, where):
        sql.execute(f"UPDATE order_event SET {text} WHERE event_no = ?", (place(sql, where),))  # noqa: S608 - our own text

    return lie


def _flip_hash(sql, where):
    row = place(sql, where)
    (mark,) = sql.execute("SELECT hash FROM order_event WHERE event_no = ?", (row,)).fetchone()
    at = int(where * 31)
    flipped = mark[:at] + bytes([mark[at] ^ 1]) + mark[at + 1 :]
    sql.execute("UPDATE order_event SET hash = ? WHERE event_no = ?", (flipped, row))


def _swap(sql, where):
    row = place(sql, where * 0.9)
    pair = [seq for (seq,) in sql.execute("SELECT seq FROM order_event WHERE event_no >= ? LIMIT 2", (row,))]
    sql.execute("UPDATE order_event SET seq = -seq WHERE seq IN (?, ?)", pair)
    sql.execute("UPDATE order_event SET seq = ? WHERE seq = ?", (pair[1], -pair[0]))
    sql.execute("UPDATE order_event SET seq = ? WHERE seq = ?", (pair[0], -pair[1]))


def _add(sql, where):
    row = place(sql, where)
    sql.execute(
        "INSERT INTO order_event (account, seq, epoch, at_ns, kind, body, hash)"
        " SELECT account, (SELECT max(seq) + 1 FROM order_event), epoch, at_ns, kind, body, hash FROM order_event"
        " WHERE event_no = ?",
        (row,),
    )


def _cut(sql, where):
    sql.execute("DELETE FROM order_event WHERE event_no >= ?", (place(sql, where),))


def _cut_the_old_end(sql, where):
    sql.execute("DELETE FROM order_event WHERE event_no <= ?", (place(sql, where),))


def _every(sql, text):
    sql.execute(text)


OF_ENTRIES = {
    "body": _entry("body = replace(body, '{', '{ ')"),
    "one letter of the body": _entry("body = substr(body, 1, length(body) / 2) || 'x' || substr(body, length(body) / 2 + 2)"),
    "time": _entry("at_ns = at_ns + 1"),
    "epoch": _entry("epoch = epoch + 1"),
    "kind": _entry("kind = CASE kind WHEN 'fill' THEN 'order' ELSE 'fill' END"),
    "a kind of its own": _entry("kind = 'nothing'"),
    "sequence": _entry("seq = seq + 100000"),
    "account": _entry("account = 'second'"),
    "hash": _flip_hash,
    "all of the hash": _entry("hash = zeroblob(32)"),
    "gone": lambda sql, where: sql.execute("DELETE FROM order_event WHERE event_no = ?", (place(sql, where),)),
    "two swapped": _swap,
    "one added": _add,
    "end cut off": _cut,
    "old end cut off": _cut_the_old_end,
}  # fmt: skip


# ---- lies about what callers are answered from ------------------------------------------------------------------


def _row(table, key, text):
    def lie(sql, where):
        sql.execute(f"UPDATE {table} SET {text} WHERE {key} = ?", (place(sql, where, table, key),))  # noqa: S608 - our own text

    return lie


def _gone(table, key):
    return lambda sql, where: sql.execute(f"DELETE FROM {table} WHERE {key} = ?", (place(sql, where, table, key),))  # noqa: S608 - our own text


def _new_order(sql, where):
    sql.execute(
        "INSERT INTO orders (account, caller, client_order_id, status, symbol, venue_order_id, create_time_ns, body,"
        " last_seq) SELECT account, caller, 'never-placed', status, symbol, NULL, create_time_ns, body, last_seq"
        " FROM orders WHERE order_no = ?",
        (place(sql, where, "orders", "order_no"),),
    )


OF_ROWS = {
    "an order's body": _row("orders", "order_no", "body = replace(body, '0.001', '0.002')"),
    "an order's status": _row("orders", "order_no", "status = CASE status WHEN 'filled' THEN 'open' ELSE 'filled' END"),
    "an order's pair": _row("orders", "order_no", "symbol = 'ETH/USD'"),
    "an order's id at Kraken": _row("orders", "order_no", "venue_order_id = 'OTHER'"),
    "an order's time": _row("orders", "order_no", "create_time_ns = create_time_ns - 1"),
    "an order's newest entry": _row("orders", "order_no", "last_seq = 0"),
    "an order's caller": _row("orders", "order_no", "caller = 'somebody'"),
    "an order's name": _row("orders", "order_no", "client_order_id = 'renamed'"),
    "an order gone": _gone("orders", "order_no"),
    "an order added": _new_order,
    "an amend's body": _row("amend", "amend_no", "body = replace(body, '58001', '58002')"),
    "an amend's status": _row("amend", "amend_no", "status = 'refused'"),
    "an amend gone": _gone("amend", "amend_no"),
    "a fill forgotten": _gone("fill", "fill_id"),
    "a fill's entry": _row("fill", "fill_id", "seq = seq + 1"),
    "a fill's time": _row("fill", "fill_id", "at_ns = at_ns + 1"),
    "a fill renamed": _row("fill", "fill_id", "fill_id = 'T-OTHER'"),
    "a halt lifted in silence": _gone("trading_mode", "symbol"),
    "a halt made milder": _row("trading_mode", "symbol", "body = replace(body, 'halted', 'reduce_only')"),
    "a halt moved": _row("trading_mode", "symbol", "symbol = 'SOL/USD'"),
    "a lifted halt put back": lambda sql, _: _every(
        sql, "INSERT INTO trading_mode SELECT account, caller, 'ETH/USD', everything, body FROM trading_mode"
    ),
}  # fmt: skip

OF_HEADS = {
    "the head's sequence": lambda sql, _: _every(sql, "UPDATE account SET last_seq = last_seq - 1"),
    "the head's hash": lambda sql, _: _every(sql, "UPDATE account SET last_hash = zeroblob(32)"),
    "the first mark's hash": lambda sql, _: _every(sql, "UPDATE account SET before_hash = zeroblob(32)"),
    "the first mark's sequence": lambda sql, _: _every(sql, "UPDATE account SET before_seq = 3"),
    "the head gone": lambda sql, _: _every(sql, "DELETE FROM account"),
    "the journal's name": lambda sql, _: _every(sql, "UPDATE meta SET journal_id = 'another'"),
}  # fmt: skip
