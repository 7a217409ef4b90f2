"""Starts that must be refused, tried with the real `execsvc serve`, and the page that shows them: docs/security/refusals.md.

`python -m tests.security.refusals` tries them all and writes the page; test_refusals_page.py holds it to what is said today.
"""

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill

from tests.support.processes import clean_environ, paper_exchange, running

HIDDEN = "…"
PAGE = Path(__file__).parents[2] / "docs" / "security" / "refusals.md"
RIGHTS = (
    "query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades", "create-ws-token",
)  # fmt: skip
VENUE = ("EXECSVC_KRAKEN_REST_URL", "EXECSVC_KRAKEN_WS_URL", "EXECSVC_KRAKEN_WS_AUTH_URL")
FILES = {"KRAKEN_API_KEY_FILE": "key", "KRAKEN_API_SECRET_FILE": "secret"}
INTRO = """# Starts that are refused

Made by `python -m tests.security.refusals`, which starts `execsvc serve` in each of these ways against a paper exchange whose
control port hands out keys with any rights; a test holds this page to what it says. stdout, the log, is left out. Every
refusal is one line for each thing that is wrong, on stderr, and exit code 3: nothing was signed but the question what the
key may do, and no order was taken.
"""


class Stage:
    """A folder to start in, and an exchange that makes keys."""

    def __init__(self, folder, exchange):
        self.folder = folder
        self.exchange = exchange

    def write(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)

    def keys(self, *, mode=0o600, **wish):
        """A key of these rights in two files, and where the exchange is."""
        made = self.exchange.ask("POST", "/keys", {"permissions": list(RIGHTS)} | wish)
        self.write("key", made["api_key"] + "\n")
        self.write("secret", made["api_secret"] + "\n", mode)
        return {name: self.exchange.environ[name] for name in VENUE} | FILES


@dataclass(frozen=True)
class Case:
    """One refused start. prepare makes files and gives variables; shown are those of the page, HIDDEN ones without value."""

    title: str
    why: str
    shown: dict = field(default_factory=dict)
    options: str = ""
    prepare: Callable[[Stage], dict] = lambda _: {}
    mends: str = ""

    @property
    def command(self):
        words = [f"{name}={value}" for name, value in self.shown.items()]
        return " ".join([*words, "execsvc serve", *self.options.split()])

    def environ(self, stage):
        """Any free port; tokens are off where they are not the case's subject."""
        ports = {
            "EXECSVC_LISTEN": "127.0.0.1:0",
            "EXECSVC_HTTP_LISTEN": "off",
            "EXECSVC_STORE": f"sqlite://{stage.folder}/s.db",
        }
        given = {name: value for name, value in self.shown.items() if value != HIDDEN}
        return clean_environ(stage.folder, **ports) | self.prepare(stage) | given


CASES = (
    Case(
        "A key that may withdraw",
        "An order never needs that right, and whoever steals such a key empties the account. There is no override.",
        shown=FILES,
        prepare=lambda stage: stage.keys(permissions=[*RIGHTS, "withdraw-funds"]),
        mends="Make a key without it at Kraken: API, then the rights that the start names.",
    ),
    Case(
        "A nonce window above 0",
        "The window lets a late request in behind a newer one; with it nothing proves any more that an order was not placed. "
        "There is no override. Opened later, it closes the desk at the next look at the key, within the hour.",
        shown=FILES,
        prepare=lambda stage: stage.keys(nonce_window=10_000),
        mends="Set the key's nonce window to 0 at Kraken.",
    ),
    Case(
        "A key that lacks a right",
        "Better told at the start than by the first order; each missing right is named as Kraken's page names it.",
        shown=FILES,
        prepare=lambda stage: stage.keys(permissions=["query-funds", "query-open-trades", "query-closed-trades"]),
        mends="Give the key the rights that are named.",
    ),
    Case(
        "A secret that others may read",
        "The line names the file and the rule, never what is in it.",
        shown=FILES,
        prepare=lambda stage: stage.keys(mode=0o644),
        mends="`chmod 600 secret`, and make a new key: this one was open.",
    ),
    Case(
        "The secret itself where its path belongs",
        "A common slip; it is not repeated, for standard error is often kept.",
        shown={"KRAKEN_API_SECRET_FILE": HIDDEN},
        prepare=lambda stage: stage.keys() | {"KRAKEN_API_SECRET_FILE": (stage.folder / "secret").read_text().strip()},
        mends="Write it into a file of mode 0600 and name that.",
    ),
    Case(
        "A public address in plain text",
        "Orders and tokens would cross the network readable. The HTTP door follows the same rule.",
        options="--listen 0.0.0.0:50051 --http off",
        mends="Give a certificate (`EXECSVC_TLS_CERT_FILE`, `EXECSVC_TLS_KEY_FILE`), or listen on 127.0.0.1.",
    ),
    Case(
        "A token file that others may read or write",
        "Whoever writes it makes tokens of their own.",
        shown={"EXECSVC_TOKENS": "tokens.toml"},
        prepare=lambda stage: stage.write("tokens.toml", "", 0o644) or {},
        mends="`chmod 600 tokens.toml`, and look through it: `execsvc token list`.",
    ),
    Case(
        "Live money without a largest order",
        "No silent infinity: the first slip of a decimal point would be the last.",
        shown={"EXECSVC_MODE": "live"},
        prepare=lambda stage: stage.keys() | {"EXECSVC_TOKENS": "tokens.toml"},
        mends="`EXECSVC_MAX_ORDER_NOTIONAL=250`, or a rule in the configuration's `[risk]`.",
    ),
    Case(
        "Live money without tokens",
        "Any program on the machine could trade.",
        shown={"EXECSVC_MODE": "live", "EXECSVC_TOKENS": "off"},
        prepare=lambda stage: stage.keys() | {"EXECSVC_MAX_ORDER_NOTIONAL": "250"},
        mends="Leave `EXECSVC_TOKENS` unset: the first start writes a token file and two tokens.",
    ),
)


def tried(case, exchange):
    """What stderr says, without what differs between two runs, and the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), exchange)
        environ = case.environ(stage)
        environ |= {
            name: f"{folder}/{value}" for name, value in environ.items() if value in {"key", "secret", "tokens.toml"}
        }
        with running(["serve", *case.options.split()], environ) as process:
            code = process.ended()
        said = "".join(process.stderr).replace(f"{folder}/", "")
        return re.sub(r"127\.0\.0\.1:[1-9]\d+", "127.0.0.1:PORT", said).strip(), code


def block(case, said, code):
    """The case's part of the page."""
    console = f"```console\n$ {case.command} >/dev/null\n{said}\n$ echo $?\n{code}\n```"
    return f"## {case.title}\n\n{fill(case.why, 125)}\n\n{console}\n\n{case.mends}\n"


def main():
    """Writes the page."""
    with tempfile.TemporaryDirectory() as home, paper_exchange(home) as exchange:
        parts = [block(case, *tried(case, exchange)) for case in CASES]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join([INTRO, *parts]))


if __name__ == "__main__":
    main()
