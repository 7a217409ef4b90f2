"""The SQL finds what it looks for by an index, however long the journal has grown."""

import pytest

from execsvc.domain.errors import Fault, Reason
from execsvc.domain.order import LIVE, Refused
from execsvc.ports import OrderQuery
from execsvc.store import queries
from execsvc.store.batch import UNSETTLED
from execsvc.store.database import Birth, open_database, scripts
from execsvc.store.queries import Queries
from execsvc.store.retention import Bounds
from execsvc.store.tables import Tables
from tests.unit.store.samples import SECRET, fill_of, intent_of, key_of


@pytest.fixture
def database(tmp_path):
    opened = open_database(tmp_path / "x.db", Birth("journal", SECRET, 1))
    yield opened
    opened.close()


QUESTIONS = {
    "get": lambda ask: ask.get(key_of()),
    "find by venue id": lambda ask: ask.find("main", "OTX-1", ""),
    "find by wire id": lambda ask: ask.find("main", "", "w-1"),
    "in_status": lambda ask: ask.in_status("main", UNSETTLED),
    "page": lambda ask: ask.page(OrderQuery("main", before=(5, key_of()))),
    "page of a caller": lambda ask: ask.page(OrderQuery("main", caller="bot", start_ns=1)),
    "page of the open": lambda ask: ask.page(OrderQuery("main", statuses=LIVE)),
    "after": lambda ask: ask.after("main", 0, 10),
    "last_sequence": lambda ask: ask.last_sequence("main"),
    "high_water": lambda ask: ask.high_water("key"),
    "story": lambda ask: ask.story(key_of()),
    "recall": lambda ask: ask.recall("main", "halt"),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_no_question_reads_a_whole_table(database, question):
    """Every statement a reader runs is a search by index, and comes out in order without sorting."""
    asked = []
    database.reader.set_trace_callback(asked.append)
    question(Queries(database.reader))
    database.reader.set_trace_callback(None)
    statements = [text for text in asked if text.strip().startswith("SELECT")]
    steps = [row[3] for text in statements for row in database.reader.execute(f"EXPLAIN QUERY PLAN {text}")]
    assert statements
    assert [] == [step for step in steps if "json_each" not in step and ("SCAN" in step or "TEMP B-TREE" in step)]


@pytest.mark.parametrize(
    ("question", "index"),
    [
        (lambda ask: ask.in_status("main", UNSETTLED), "orders_unsettled"),
        (lambda ask: ask.page(OrderQuery("main", statuses=LIVE)), "orders_unsettled"),
        (lambda ask: ask.page(OrderQuery("main", caller="bot", symbol="BTC/USD")), "orders_by_time"),
    ],
    ids=["in_status", "page of the open", "page"],
)
def test_the_index_is_the_one_meant(database, question, index):
    """Few among many are found in the index of the few; the planner, which knows no figures, is not left to guess."""
    asked = []
    database.reader.set_trace_callback(asked.append)
    question(Queries(database.reader))
    database.reader.set_trace_callback(None)
    (text,) = asked
    assert index in text
    assert f"USING INDEX {index} (account=?" in str(database.reader.execute(f"EXPLAIN QUERY PLAN {text}").fetchall())


def plan_of(database, operation):
    """How many statements a batch of these operations runs, and every step of their plans but the owner's check."""
    asked = []
    database.writer.set_trace_callback(asked.append)
    with Tables(database).transaction() as batch:
        operation(batch)
    database.writer.set_trace_callback(None)
    words = ("SELECT", "UPDATE", "INSERT", "DELETE")
    texts = [text for text in asked if text.startswith(words) and "FROM meta" not in text]
    return len(texts), [row[3] for text in texts for row in database.writer.execute(f"EXPLAIN QUERY PLAN {text}")]


def begin(batch):
    batch.begin(intent_of(), 1_000)
    batch.reserve("key", 0, 1)


def end(batch):
    batch.record(key_of(), Refused(Fault(Reason.INSUFFICIENT_FUNDS, "too little")), 1_001)
    batch.record_fill(fill_of(), key_of(), None, 1_002)
    batch.remember("main", "halt", "")
    batch.remember("main", "bound", "3")


def forget(batch):
    batch.forget("main", Bounds(10**18, 10**18, 100))


def test_a_write_finds_its_rows_by_index(database):
    """Deciding and writing never reads a whole table either, nor does forgetting: it costs what goes."""
    plans = [plan_of(database, operation) for operation in (begin, end, forget)]
    assert [9, 12, 12] == [statements for statements, _ in plans]
    # The attempts of one order are strung together, and that string is walked.
    steps = {step for _, steps in plans for step in steps} - {"SCAN CONSTANT ROW", "SCAN attempt"}
    assert [] == [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step]


def test_the_unsettled_are_what_their_index_holds():
    """Schema, statements and domain name the same states."""
    words = "status IN ('submitted', 'in_doubt', 'pending', 'open')"
    assert {f"'{status.value}'" for status in UNSETTLED} == {*words[11:-1].split(", ")}
    assert [1, 1, 1] == [
        text.count(words) for text in (scripts()[1], queries._IN_STATUS_UNSETTLED, queries._PAGE_UNSETTLED)
    ]
