"""Every error path that has a secret in its hands: refused keys, broken files, wrong settings, crashes, help.

Each is the real process, with a real secret in the place that fails.
"""

import json
import os
import shutil
import signal
import textwrap
from pathlib import Path

import pytest

from execsvc.cli import main as verbs
from tests.support.canary import finds
from tests.support.processes import clean_environ, free_port, paper_exchange, running, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]

ROOT = Path(__file__).parents[2]
OTHER_SECRET = "wW9s" + "Yb3K" * 20 + "xQ=="
TOKEN = "xs_0a1b2c3d_" + "A" * 43


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with paper_exchange(tmp_path_factory.mktemp("home")) as running_one:
        yield running_one


def environ_of(home, exchange, **more):
    venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
    return clean_environ(home, EXECSVC_LISTEN="127.0.0.1:0", EXECSVC_HTTP_LISTEN="off", **(venue | more))


def refused(environ, *options):
    """What a start that must fail says on both streams; it has one clear line and no secret."""
    with running(["serve", *options], environ) as process:
        assert 3 == process.ended(), process.said
    assert "Traceback" not in process.said
    assert [] == finds(process.said)
    return "".join(process.stderr).strip()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"KRAKEN_API_KEY": "PAPER" + "zZ9" * 17}, "EAPI:Invalid key"),
        ({"KRAKEN_API_SECRET": OTHER_SECRET}, "EAPI:Invalid signature"),
        ({"KRAKEN_API_SECRET": OTHER_SECRET[:-3]}, "account main: the API secret is not base64"),
        ({"KRAKEN_API_SECRET": OTHER_SECRET[:40] + "é" + OTHER_SECRET[40:]}, "KRAKEN_API_SECRET: not one word"),
        ({"KRAKEN_API_KEY": "PAPER" + "zZ9" * 17 + "\nX-Other: 1"}, "KRAKEN_API_KEY: not one word"),
    ],
    ids=["unknown key", "wrong secret", "no base64", "not ASCII", "a line break"],
)
def test_a_key_that_does_not_work_is_refused_in_words(tmp_path, exchange, more, told):
    """What Kraken says of it, or what is wrong with its form; neither half is repeated."""
    assert told in refused(environ_of(tmp_path, exchange, **more))


@pytest.mark.parametrize("which", ["EXECSVC_TLS_KEY_FILE", "EXECSVC_TOKENS"])
def test_a_broken_file_of_secrets_is_refused_without_its_content(tmp_path, exchange, which):
    """A private key that is none, a token file that is no TOML: named by path."""
    broken = tmp_path / "broken"
    broken.write_text(f"-----BEGIN PRIVATE KEY-----\n{OTHER_SECRET}\n{TOKEN}\n")
    broken.chmod(0o600)
    (tmp_path / "cert").write_text("no certificate")
    tls = {"EXECSVC_TLS_CERT_FILE": str(tmp_path / "cert")} if "TLS" in which else {}
    assert str(tmp_path) in refused(environ_of(tmp_path, exchange, **(tls | {which: str(broken)})))
    broken.unlink()  # the secrets in it were this test's doing


@pytest.mark.parametrize(
    "text",
    [
        f'[accounts.main]\napi_secret = "{OTHER_SECRET}"\n',
        f'[accounts.main]\napi_secret = "{OTHER_SECRET}\n',
        f'api_key = "PAPER{"zZ9" * 17}"\n',
        f'[callers.bot]\ntoken = "{TOKEN}"\n',
    ],
    ids=["secret", "secret in broken TOML", "key", "token"],
)
def test_a_secret_in_the_configuration_is_refused_and_not_repeated(tmp_path, exchange, text):
    """It does not belong there; the line says so by its name."""
    (tmp_path / "execsvc.toml").write_text(text)
    (tmp_path / "execsvc.toml").chmod(0o600)
    assert "execsvc.toml" in refused(environ_of(tmp_path, exchange), "--config", str(tmp_path / "execsvc.toml"))
    (tmp_path / "execsvc.toml").unlink()  # the secret in it was this test's doing


def test_problems_of_other_settings_do_not_tell_the_secrets_beside_them(tmp_path, exchange):
    """All problems at once, with every secret set; a misspelt name is told without its value."""
    more = {"EXECSVC_TIER": "gold", "EXECSVC_TOKEN": TOKEN, "EXECSVC_TOKENN": TOKEN}
    told = refused(environ_of(tmp_path, exchange, OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer {TOKEN}", **more))
    assert ["EXECSVC_TIER", "EXECSVC_TOKENN"] == [name for name in ("EXECSVC_TIER", "EXECSVC_TOKENN") if name in told]


def test_the_environment_is_emptied_of_keys_and_the_exposure_is_told_once(tmp_path, exchange):
    """What a child would inherit has no key any more; the log says once why a file is better."""
    probe = tmp_path / "sitecustomize.py"
    probe.write_text(
        textwrap.dedent("""
            import atexit, json, os, subprocess, sys
            def look():
                child = [sys.executable, "-S", "-c", "import os, json; print(json.dumps(sorted(os.environ)))"]
                with open(os.environ["HOME"] + "/inherited", "wb") as file:
                    file.write(subprocess.run(child, capture_output=True, check=True).stdout)
            if "serve" in sys.orig_argv:
                atexit.register(look)
        """)
    )
    listen = f"127.0.0.1:{free_port()}"
    environ = environ_of(tmp_path, exchange, PYTHONPATH=str(tmp_path)) | {"EXECSVC_LISTEN": listen}
    with running(["serve"], environ) as gateway:
        wait_serving(listen)
        assert 0 == gateway.stop(), gateway.said
    inherited = json.loads((tmp_path / "inherited").read_text())
    assert (False, True) == (any("KRAKEN_API" in name for name in inherited), "EXECSVC_LISTEN" in inherited)
    assert 1 == "".join(gateway.stdout).count('"event":"key.exposed"')


def test_headers_for_the_collector_that_cannot_be_read_are_not_logged(tmp_path, exchange):
    """The OpenTelemetry library logs what it could not parse: a collector's token, in this variable."""
    listen, headers = f"127.0.0.1:{free_port()}", f"authorization: Bearer {TOKEN}"
    otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_HEADERS": headers}
    with running(["serve"], environ_of(tmp_path, exchange, **otel) | {"EXECSVC_LISTEN": listen}) as gateway:
        wait_serving(listen)
        assert 0 == gateway.stop(), gateway.said
    assert '"logger":"opentelemetry.util.re"' in gateway.said
    assert [] == finds(gateway.said)


@pytest.mark.parametrize("style", ["plain", "of the account"])
def test_a_systemd_credential_is_used_before_what_the_environment_says(tmp_path, exchange, style):
    """LoadCredential= lays it there, 0440 or 0400 and root's; a wrong key in the environment does no harm."""
    folder, listen = tmp_path / "credentials", f"127.0.0.1:{free_port()}"
    folder.mkdir(mode=0o700)
    for part in ("KEY", "SECRET"):
        path = folder / f"kraken-api-{part.lower()}{'' if style == 'plain' else '-main'}"
        path.write_text(exchange.environ[f"KRAKEN_API_{part}"])
        path.chmod(0o440 if os.geteuid() == 0 else 0o400)
    wrong = {"KRAKEN_API_KEY": "PAPER" + "zZ9" * 17, "KRAKEN_API_SECRET": OTHER_SECRET}
    environ = environ_of(tmp_path, exchange, CREDENTIALS_DIRECTORY=str(folder), EXECSVC_TOKENS="off", **wrong)
    with running(["serve"], environ | {"EXECSVC_LISTEN": listen}) as gateway:
        wait_serving(listen)
        assert 0 == gateway.stop(), gateway.said
    assert (True, False) == ("credential kraken-api-key" in gateway.said, "key.exposed" in gateway.said)
    shutil.rmtree(folder)


CRASHES = {
    "building": "import execsvc.kraken.private as room; room.KrakenPrivate.__repr__; room.Signer = broken",
    "signing": "import execsvc.kraken.signing as room; room.Signer.sign = broken",
}


@pytest.mark.parametrize("where", CRASHES)
@pytest.mark.parametrize("level", ["info", "debug"])
def test_a_crash_with_the_secret_in_its_frames_does_not_show_it(tmp_path, exchange, where, level):
    """A bug right where keys are used: the error, with its whole traceback at the level debug, shows places and no values."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "def broken(*args, **kwargs):\n"
        "    held = list(args)\n"
        "    raise RuntimeError(f'a bug in {len(held)} words')\n"
        f"if 'serve' in sys.orig_argv:\n    {CRASHES[where]}\n"
    )
    environ = environ_of(tmp_path, exchange, PYTHONPATH=str(tmp_path), EXECSVC_LOG_LEVEL=level)
    with running(["serve"], environ) as process:
        process.wait_for("a bug in")
        if process.process.poll() is None:
            process.stop()
    assert [] == finds(process.said)
    assert "a bug in" in process.said


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV])
def test_a_killed_gateway_leaves_no_core_and_a_traceback_without_values(tmp_path, exchange, number):
    """Aborted or faulted, with faulthandler on: frames by file and line, and no core file though the shell would allow it."""
    listen = f"127.0.0.1:{free_port()}"
    environ = environ_of(tmp_path, exchange, PYTHONFAULTHANDLER="1") | {"EXECSVC_LISTEN": listen}
    with running(["serve"], environ) as gateway:
        wait_serving(listen)
        limits = Path(f"/proc/{gateway.process.pid}/limits").read_text()
        assert -number == gateway.stop(number)
    assert ["0", "0"] == next(
        line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size")
    )
    assert "Fatal Python error" in gateway.said
    assert [] == finds(gateway.said)


def commands(app, path=()):
    for each in app.registered_commands:
        yield (*path, each.name)
    for group in app.registered_groups:
        yield from commands(group.typer_instance, (*path, group.name))


@pytest.mark.parametrize("verb", sorted(commands(verbs.app)), ids=" ".join)
def test_help_shows_no_value_of_the_environment(monkeypatch, capsys, verb):
    """Some frameworks print a default that came from a variable."""
    for name in ("KRAKEN_API_KEY", "KRAKEN_API_SECRET", "EXECSVC_TOKEN"):
        monkeypatch.setenv(name, TOKEN)
    assert 0 == verbs.run([*verb, "--help"])
    said = capsys.readouterr()
    assert "Usage: execsvc" in said.out
    assert [] == finds(said.out + said.err)
