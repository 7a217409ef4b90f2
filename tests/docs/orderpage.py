"""docs/reference/orders.md taken apart: each example in its three languages, and what it says that Kraken makes of it."""

import json
import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import execsvc_client
import typer
from execsvc_api.v1 import order_pb2
from execsvc_client._specs import spec_to_wire
from google.protobuf import json_format
from typer.testing import CliRunner

from execsvc.cli.wish import Typed, verb, wish_of

PAGE = Path("docs/reference/orders.md")
DATE = "2030-01-31T12:00:00Z"
_LANGUAGES = ("sh", "python", "json", "text")


@dataclass(frozen=True)
class Example:
    """One order of the page. `sent` is what AddOrder gets, `words` what Kraken calls it, `stands` its status then."""

    name: str
    sh: str
    python: str
    json: str
    sent: str
    words: str
    stands: str

    def at(self, moment):
        """The same with another date in it."""
        return Example(*(getattr(self, each).replace(DATE, moment) for each in self.__dataclass_fields__))


def examples(text):
    """Every section that has examples, by name."""
    found = {}
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        name = section.partition("\n")[0]
        blocks = dict(re.findall(r"^```(\w+)\n(.*?)\n```$", section, re.MULTILINE | re.DOTALL))
        assert sorted(_LANGUAGES) == sorted(blocks), name
        found[name] = Example(name, blocks["sh"], blocks["python"], blocks["json"], *blocks["text"].splitlines())
    return found


def evaluated(example, client):
    """The Python example, with this client."""
    names = {name: getattr(execsvc_client, name) for name in execsvc_client.__all__}
    return eval(example.python, {**names, "datetime": datetime, "client": client})  # noqa: S307 - our own page


class Recorder:
    """A client that writes down what it is asked for."""

    def buy(self, symbol, **wish):
        return self._spec(symbol, "buy", **wish)

    def sell(self, symbol, **wish):
        return self._spec(symbol, "sell", **wish)

    def _spec(self, symbol, side, *, quantity, limit_price=None, market=False, **options):
        return spec_to_wire(symbol, side, size=quantity, limit_price=limit_price, market=market, options=options)


def spec_of_python(example):
    return evaluated(example, Recorder())


def spec_of_json(example):
    return json_format.ParseDict(json.loads(example.json), order_pb2.OrderSpec())


def spec_of_sh(example):
    """What the line means to the client; the line is not run."""
    program, side, *words = shlex.split(example.sh)
    assert "execsvc" == program
    heard = []
    echo = typer.Typer()
    echo.command()(verb(Typed, lambda typed: heard.append(wish_of(typed, side, datetime.now(UTC))), "Hear it."))
    assert 0 == CliRunner().invoke(echo, words, catch_exceptions=False).exit_code
    (wish,) = heard
    return spec_to_wire(
        wish.symbol,
        wish.side,
        size=wish.quantity,
        limit_price=wish.limit_price,
        market=wish.market,
        options=wish.options,
    )
