"""The doors of a whole gateway: where it refuses to open, and what it serves behind TLS and tokens.

Other machines are stood for by 0.0.0.0, reached over loopback. The commands of docs/reference/doors.md are run as they stand.
"""

import re
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import admin_service_pb2_grpc as admin_stub

from tests.support.certs import put
from tests.support.processes import Process, clean_environ, running

pytestmark = pytest.mark.process

EVERYWHERE = "0.0.0.0"  # noqa: S104 - an address beyond loopback is the subject
PAGE = Path("docs/reference/doors.md").read_text()


@pytest.fixture
def files(tmp_path, authority):
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    put(authority.leaf("server"), certificate, key)
    return {"EXECSVC_TLS_CERT_FILE": str(certificate), "EXECSVC_TLS_KEY_FILE": str(key)}


def environ(home, **extra):
    """As a person has it: tokens as a first start writes them."""
    made = clean_environ(home, **extra)
    if "EXECSVC_TOKENS" not in extra:
        made.pop("EXECSVC_TOKENS", None)
    return made


def refused(home, *arguments, **extra):
    """What a gateway that does not start says, and its exit code."""
    process = Process(["serve", *arguments], environ(home, **extra))
    return process.ended(), "".join(process.stderr)


class Served:
    """A running gateway with TLS, and how to reach it."""

    def __init__(self, process, home, authority):
        self.process = process
        self.port = int(process.wait_for(r"gRPC +\S+?:(\d+)")[1])
        found = process.wait_for(r"(?:HTTP +\S+?:(\d+)/metrics[^\n]*\n.*)?ready in")
        web = re.search(r"HTTP +\S+:(\d+)/", process.said)
        self.http_port = int(web[1]) if found and web else 0
        self._authority = authority
        beside = home / ".local" / "state" / "execsvc"
        self.token = (beside / "admin.token").read_text().strip()

    def asked(self, *, token="", secure=True):
        """GetServerInfo over the gRPC address."""
        target, options = f"localhost:{self.port}", (("grpc.enable_retries", 0),)
        trusted = grpc.ssl_channel_credentials(self._authority.pem)
        channel = grpc.secure_channel(target, trusted, options) if secure else grpc.insecure_channel(target, options)
        with channel:
            stub = admin_stub.AdminServiceStub(channel)
            headers = (("authorization", f"Bearer {token}"),) if token else ()
            return stub.GetServerInfo(admin.GetServerInfoRequest(), metadata=headers, timeout=5)

    def got(self, path, *, token="", scheme="https"):
        """Status and text of a page of the HTTP address."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        asked = urllib.request.Request(f"{scheme}://localhost:{self.http_port}{path}", headers=headers)
        trusted = ssl.create_default_context(cadata=self._authority.pem.decode())
        try:
            with urllib.request.urlopen(asked, timeout=5, context=trusted if scheme == "https" else None) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def presented(self):
        trusted = ssl.create_default_context(cadata=self._authority.pem.decode())
        trusted.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as plain,
            trusted.wrap_socket(plain, server_hostname="localhost") as spoken,
        ):
            return spoken.getpeercert(binary_form=True)


@contextmanager
def serving(home, authority, *arguments, **extra):
    listening = ("--listen", f"{EVERYWHERE}:0", "--http", f"{EVERYWHERE}:0")
    with running(["serve", *(arguments or listening)], environ(home, **extra)) as process:
        yield Served(process, home, authority)


# ---- where it does not open ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "extra", "named", "lacking"),
    [
        (("--listen", f"{EVERYWHERE}:0", "--http", "off"), {}, "--listen|EXECSVC_LISTEN", "TLS"),
        (("--http", f"{EVERYWHERE}:0"), {}, "--http|EXECSVC_HTTP_LISTEN", "TLS"),
        (
            ("--listen", f"{EVERYWHERE}:0", "--http", "off"),
            {"EXECSVC_TOKENS": "off"},
            "--listen|EXECSVC_LISTEN",
            "TLS .* and caller tokens",
        ),
    ],
    ids=["grpc", "http", "neither"],
)
def test_plaintext_beyond_this_machine_refuses_in_one_line(tmp_path, arguments, extra, named, lacking):
    """Exit 3 and one line that names the address, what it lacks, and where to bind instead."""
    code, said = refused(tmp_path, *arguments, **extra)
    (line,) = [each for each in said.splitlines() if each.strip()]
    assert 3 == code
    assert re.search(rf"({named}).*0\.0\.0\.0.*{lacking}.*127\.0\.0\.1", line)


def test_tls_without_tokens_or_certificates_refuses(tmp_path, files):
    """Secrecy alone does not say who calls."""
    code, said = refused(tmp_path, "--listen", f"{EVERYWHERE}:0", "--http", "off", EXECSVC_TOKENS="off", **files)
    assert 3 == code
    assert "caller tokens (EXECSVC_TOKENS) or client certificates" in said


def test_a_key_that_others_can_read_refuses_in_one_line(tmp_path, files):
    """The gateway does not start on a private key that is none."""
    Path(files["EXECSVC_TLS_KEY_FILE"]).chmod(0o644)
    code, said = refused(tmp_path, "--listen", "127.0.0.1:0", **files)
    (line,) = [each for each in said.splitlines() if "server.key" in each]
    assert 3 == code
    assert "mode 0644 lets others in" in line


def test_paper_money_in_plaintext_is_served_where_asked_for_in_words(tmp_path):
    """--insecure-bind opens a plaintext address beyond loopback, in paper mode."""
    said = ("--listen", f"{EVERYWHERE}:0", "--http", "off", "--insecure-bind")
    with running(["serve", *said], environ(tmp_path, EXECSVC_TOKENS="off")) as process:
        port = int(process.wait_for(r"gRPC +\S+?:(\d+)")[1])
        process.wait_for("ready in")
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            answer = admin_stub.AdminServiceStub(channel).GetServerInfo(admin.GetServerInfoRequest(), timeout=5)
    assert "0.1.0" == answer.version


# ---- what it serves --------------------------------------------------------------------------------------------------


def test_behind_tls_and_tokens_both_doors_are_served(tmp_path, authority, files):
    """With a token everything; without one nobody, but for the bare word of health; in plaintext nothing."""
    with serving(tmp_path, authority, **files) as gateway:
        assert "admin" == gateway.asked(token=gateway.token).caller
        codes = []
        for how in ({}, {"token": gateway.token, "secure": False}):
            with pytest.raises(grpc.RpcError) as caught:
                gateway.asked(**how)
            codes.append(caught.value.code())
        assert [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE] == codes
        status, figures = gateway.got("/metrics", token=gateway.token)
        assert (200, True) == (status, "execsvc_tls_days_left" in figures)
        assert (401, (200, "serving\n")) == (gateway.got("/metrics")[0], gateway.got("/healthz"))
        with pytest.raises(OSError, match=r"."):
            gateway.got("/healthz", scheme="http")


def test_a_certificate_is_followed_and_its_end_is_told(tmp_path, authority, files):
    """Put in the place of the old one, the next connection gets it; one that ends soon is told to callers and in the log."""
    soon = authority.leaf("soon", days=5)
    with serving(tmp_path, authority, **files) as gateway:
        before = gateway.presented()
        put(soon, Path(files["EXECSVC_TLS_CERT_FILE"]), Path(files["EXECSVC_TLS_KEY_FILE"]))
        gateway.process.wait_for(r'"event":"tls.expires"', 10)
        assert before != gateway.presented() == ssl.PEM_cert_to_DER_cert(soon.certificate.read_text())
        with grpc.secure_channel(f"localhost:{gateway.port}", grpc.ssl_channel_credentials(authority.pem)) as channel:
            told = admin_stub.AdminServiceStub(channel).GetVenueStatus(
                admin.GetVenueStatusRequest(), metadata=(("authorization", f"Bearer {gateway.token}"),), timeout=5
            )
        assert ["the doors' certificate expires in 4 days"] == [
            each for each in told.accounts[0].problems if "certificate" in each
        ]


# ---- the page --------------------------------------------------------------------------------------------------------


def blocks():
    """The page's shell blocks, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def run(folder, script, home):
    """A block as a shell runs it, with execsvc as it stands here."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    shim = bin_folder / "execsvc"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m execsvc "$@"\n')
    shim.chmod(0o755)
    made = environ(home)
    made["PATH"] = f"{bin_folder}:{made['PATH']}"
    shell = ["sh", "-e", "-c", script]
    return subprocess.run(shell, cwd=folder, env=made, capture_output=True, text=True, timeout=60, check=False)


def test_the_commands_of_the_page_work_as_they_stand(tmp_path):
    """From openssl to a client's answer: first with a token, then with a certificate besides."""
    making, starting, asking, certifying, asking_certified = blocks()
    folder, home = tmp_path / "page", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    for script in (making, certifying):
        made = run(folder, script, home)
        assert (0, "") == (made.returncode, "" if made.returncode == 0 else made.stderr)
    exported = dict(re.findall(r"(EXECSVC_\w+)=(\S+)", starting.replace("$PWD", str(folder))))
    assert "execsvc serve --listen 0.0.0.0:50051" in starting
    assert {"EXECSVC_TLS_CERT_FILE", "EXECSVC_TLS_KEY_FILE"} == set(exported)
    for client_ca, script in (({}, asking), ({"EXECSVC_TLS_CLIENT_CA_FILE": str(folder / "ca.crt")}, asking_certified)):
        listening = ("--listen", f"{EVERYWHERE}:0", "--http", "off")
        with running(["serve", *listening], environ(home, **exported, **client_ca)) as process:
            port = process.wait_for(r"gRPC +\S+?:(\d+)")[1]
            process.wait_for("ready in")
            answered = run(folder, script.replace("50051", port), home)
            assert (0, True) == (answered.returncode, "paper" in answered.stdout), answered.stderr
    assert shutil.which("openssl")
