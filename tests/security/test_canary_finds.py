"""The watch for secrets sees a leak in every kind of place and in every form, and fails the run that has one.

Leaks are planted in runs of their own, with keys that were made up here.
"""

import base64
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.canary import BEARER, KEY, KNOWN, SECRET, finds, is_one_secret
from tests.support.canary_samples import FORMS, KINDS

ROOT = Path(__file__).parents[2]
BEFORE, AFTER = ("", 'key="', "API-Key: ", "x=1&k=", "\x00\x01", "é "), ("", '"', "\n", "&n=1", "\x00", " é")


@pytest.mark.parametrize("form", FORMS)
@given(secret=KINDS, before=st.sampled_from(BEFORE), after=st.sampled_from(AFTER))
def test_a_secret_is_found_in_every_form(form, secret, before, after):
    """Keys, secrets, signatures and tokens, whatever stands around them."""
    kind, text = secret
    assert kind in {found.kind for found in finds(before + FORMS[form](text) + after)}


@given(secret=KINDS, lead=st.binary(max_size=7), tail=st.binary(max_size=7))
def test_a_secret_is_found_inside_something_else_in_base64(secret, lead, tail):
    """A header, a JSON document: base64 of a longer text has the secret at any of three places in its groups of letters."""
    kind, text = secret
    around = base64.b64encode(lead + b' "' + text.encode() + b'" ' + tail).decode()
    assert kind in {found.kind for found in finds(f"body: {around}")}


@given(st.binary(min_size=64, max_size=64))
def test_the_decoded_secret_is_found_in_hex(raw):
    """It has no form of its own: it is known because it was registered when it was made."""
    KNOWN.add(base64.b64encode(raw))
    assert [SECRET] == [found.kind for found in finds(f"raw {raw.hex()}.")]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_an_authorization_header_is_found_whatever_it_bears(scheme):
    """Somebody else's token too."""
    assert BEARER in {found.kind for found in finds(f"authorization: {scheme} abcdef0123456789")}


@pytest.mark.parametrize(
    "text",
    [
        "Bearer tokens are accepted",
        "sha256 " + "0a" * 32,
        "sha512 " + "0a" * 64,
        "PAPER money",
        "docs/reference/errors.md#local_rate_limited",
        "O" + "ABCDE-FGHIJK" * 20,
        base64.b64encode(bytes(range(48))).decode(),
        "xs_0a1b2c3d_…",
    ],
)
def test_what_is_no_secret_is_not_found(text):
    """Or nobody would believe a find."""
    assert [] == finds(text)


def test_what_was_found_is_not_repeated():
    """The report shows what stood before it."""
    text = "PAPER" + "aB3" * 17
    (found,) = finds(f"the key is {text}, and")
    assert "the key is " == found.before


def test_a_file_that_holds_one_secret_is_told_from_one_that_mentions_it():
    """The former is where secrets are kept."""
    token = "xs_0a1b2c3d_" + "A" * 43
    assert [True, True, False] == [is_one_secret(each.encode()) for each in (token, f"{token}\n", f"t = {token}")]


# ---- whole runs --------------------------------------------------------------------------------------------------------

CONFTEST = """
    import pytest
    from tests.support import canary_watch
    canary_watch.REPR_SHARE = 1.0  # after every test: this run is too short for its share of one in a hundred
    pytest_configure = canary_watch.register
"""
PLANTED = """
    import io, logging, sys
    import grpc, pytest, structlog
    from opentelemetry.sdk.trace import TracerProvider
    from execsvc.domain.errors import Declined, Fault, Reason
    from execsvc.runtime import logs, otel
    from tests.support.processes import Process

    KEY = "PAPER" + "aB3" * 17

    @pytest.fixture
    def quiet():
        root = logging.getLogger()
        before = root.handlers[:], structlog.get_config()
        yield
        root.handlers[:] = before[0]
        structlog.configure(**before[1])

    @pytest.mark.parametrize("form", ["json", "text"])
    def test_log_line(quiet, form):
        logs.configure(form=form, level="INFO", stream=io.StringIO(), mode="paper")
        structlog.get_logger().info("order.ack", reason=KEY)

    def test_span_attribute():
        with TracerProvider().get_tracer("t").start_as_current_span("s") as span:
            span.set_attribute("execsvc.why", KEY)

    def test_metric_label():
        telemetry, text, _ = otel.build("execsvc", "paper", {})
        telemetry.orders.add(1, {"outcome": KEY})
        assert "orders" in text()

    def test_error():
        with pytest.raises(Declined):
            raise Declined(Fault(Reason.INTERNAL, "no", {"key": KEY}))

    def test_wire_error():
        from grpc.aio import AioRpcError, Metadata
        AioRpcError(grpc.StatusCode.INTERNAL, Metadata(), Metadata(("why", KEY)), "no")

    def test_printed():
        print("key", KEY)

    def test_verb(capsys):
        print("key", KEY)
        assert KEY in capsys.readouterr().out

    def test_process():
        process = Process(["call", KEY], {"PATH": ""})
        process.ended()

    class Leaky:
        def __repr__(self):
            return f"<Leaky {KEY}>"

    Leaky.__module__ = "execsvc.leaky"

    @pytest.fixture
    def leaky():
        yield Leaky()

    def test_repr(leaky):
        pass

    def test_store_row(tmp_path):
        import sqlite3
        with sqlite3.connect(tmp_path / "x.db") as db:
            db.execute("create table t(a)")
            db.execute("insert into t values (?)", [KEY])

    def test_file_name(tmp_path):
        (tmp_path / f"{KEY}.log").write_text("")

    def test_program_with_a_key(tmp_path):
        (tmp_path / "program").write_bytes(b"\\x7fELF" + bytes(60) + KEY.encode())

    def test_open_secret_file(tmp_path):
        (tmp_path / "key").write_text(KEY)
        (tmp_path / "key").chmod(0o644)
"""
PLACES = {
    "test_log_line[json]": "a log line",
    "test_log_line[text]": "a log line",
    "test_span_attribute": "the span s",
    "test_metric_label": "the metrics",
    "test_error": "an error of the service",
    "test_wire_error": "an error at the caller",
    "test_printed": "Captured stdout call of a test",
    "test_verb": "what a verb printed",
    "test_process": "stdout of `execsvc call`",
    "test_repr": "the repr of an execsvc.leaky.Leaky",
    "test_store_row": "the file test_store_row0/x.db",
    "test_file_name": "a file's name, test_file_name0/…",
    "test_program_with_a_key": "the file test_program_with_a_key0/program",
    "test_open_secret_file": "the file test_open_secret_file0/key",
}
CLEAN = """
    def test_clean(tmp_path):
        path = tmp_path / "key"
        path.write_text("PAPER" + "aB3" * 17)
        path.chmod(0o600)
        print("nothing to see")

    def test_compiled(tmp_path):
        (tmp_path / "program").write_bytes(b"\\x7fELF" + bytes(60) + b"servingBear" + b"er GetBookSwapperinvalid")
"""


def run(folder, source, *options):
    (folder / "conftest.py").write_text(textwrap.dedent(CONFTEST))
    (folder / "test_it.py").write_text(textwrap.dedent(source))
    (folder / "pytest.ini").write_text(f"[pytest]\naddopts = -q -p no:cacheprovider\npythonpath = {ROOT}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--basetemp", str(folder / "base"), *options, str(folder)],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        | {
            "COLUMNS": "400",
            "PYTHONDONTWRITEBYTECODE": "1",
        },  # compiled, the planted key would lie in this run's own files
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(folder / "base")  # or this run, which is watched too, would find what was planted in that one
    return done


@pytest.mark.process
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "on two workers"])
def test_a_leak_in_any_kind_of_place_fails_the_run_and_is_named(tmp_path, options):
    """All tests pass, and the run fails, with a line for each place; with workers just so."""
    done = run(tmp_path, PLANTED, *options)
    told = re.findall(r"^CANARY (.*?) in (.*?), after ", done.stdout, re.MULTILINE)
    assert f"{len(PLACES)} passed" in done.stdout
    assert 1 == done.returncode, done.stdout
    missing = {place for place in PLACES.values() if not any(where.startswith(place) for _, where in told)}
    assert set() == missing, done.stdout
    assert {KEY} == {what.removesuffix(" (plain)") for what, _ in told}


@pytest.mark.process
def test_a_run_without_a_leak_passes(tmp_path):
    """A private file that holds a secret and nothing else is what secret files are; words of a program are words."""
    done = run(tmp_path, CLEAN)
    assert (0, False) == (done.returncode, "CANARY" in done.stdout)
