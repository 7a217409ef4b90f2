"""The reference page of the configuration, made from the table of names and the shapes of the file's sections.

tools/docs.py writes it. What a limit means is said once, in domain/riskrules.py; here is how each key is written.
"""

from collections.abc import Iterable
from typing import Any

from execsvc.domain.riskrules import DEFAULTS, UNITS
from execsvc.settings.limits import SCOPE
from execsvc.settings.names import CLIENT_NAMES, KEY_NAMES, NAMES, Kind, Name
from execsvc.settings.schema import schema

HEAD = """\
# Configuration

<!-- Made by tools/docs.py from execsvc/settings: change that, not this page. -->

One TOML file, named by `--config FILE` or `EXECSVC_CONFIG`, says what there is to say; without one there are one paper
account, `main`, and the defaults. **The command line wins over the environment, and that over the file.** A name or a key
that is unknown refuses the start, with the nearest one that is known: a typo in a daemon that moves money is no warning.

| verb | what it does |
|---|---|
| `execsvc config check [FILE]` | tells all that is wrong, each with line, path and remedy; then exit 3 |
| `execsvc config show [FILE]` | prints what is in force and where each value was said |
| `execsvc config schema` | prints the JSON schema (draft 2020-12) of the file, for editors |

No secret stands in the file: a key that looks like one is refused. It names the files that hold one, each `0400` or `0600`;
relative paths go from the folder of the file. Others on the machine must not be able to write it. A whole example:
[execsvc.toml](../examples/execsvc.toml).
"""
ACCOUNTS = """\
## `[accounts.NAME]`

Without such a section there is one account, `main`. Each account has an API key of its own, and everything that goes with
it: nonces, counters, journal, dead man's switch, limits. One account that stands alone may have its key from the environment;
several have each its files, or systemd's credentials `kraken-api-key-NAME` and `kraken-api-secret-NAME`.
"""
CALLERS = """\
## `[callers.NAME]`

What a caller may do at most; a token of that caller only narrows it ([tokens](../guides/tokens.md)). A caller that only
tokens name needs no section. Rights are `market` and `admin`, which belong to no account, and `account:NAME`, `trade:NAME`,
`cancel:NAME`, `kill:NAME`, with `*` for every account. Lists that are empty or absent mean all.
"""
LIMITS = """\
## `[risk]` and `[[risk.rules]]`

`[risk]` bounds every order; each `[[risk.rules]]` those of an `account`, a `caller` or a `symbol`, or of all three. Every
rule that matches counts, each over its own scope, and the strictest decides. A limit that a rule names takes the default's
place; `"off"` switches it off in so many words. Pairs are written as `BTC/USD`. Live mode wants a `max_order_notional` that
reaches every account, whoever calls and whatever the pair.
"""
WORDS = {
    "key_file": "file with the API key",
    "secret_file": "file with its secret",
    "tier": "verification tier, in place of the common one",
    "dead_mans_switch": "seconds, in place of the common ones; 0 is off",
    "permissions": "rights in words; required",
    "symbols": "the only pairs it may trade",
    "sides": "the only sides",
    "order_types": "the only types",
    "max_order_notional": "its largest order in USD",
    "orders_per_s": "its most orders a second",
    "certificates": "names in client certificates (SAN or subject CN) that are this caller",
    "weight": "its share of what callers wait for together, 1 to 100",
    "default_account": "the account that a request means which names none",
}


def config_page() -> str:
    """The page, whole."""
    made = schema()
    return "\n".join(
        [
            HEAD,
            *_names(),
            ACCOUNTS,
            *_shape(made["$defs"]["AccountTable"], WORDS),
            CALLERS,
            *_shape(made["$defs"]["CallerTable"], WORDS),
            LIMITS,
            *_rules(made["$defs"]["RiskRule"]),
            *_others(),
        ]
    )


def _names() -> Iterable[str]:
    yield "## Settings\n"
    yield "| environment | in the file | what it is for | default |"
    yield "|---|---|---|---|"
    for each in NAMES:
        key = f"`{each.file_key}`, {_kind(each)}" if each.in_file else "no: it is meant for one start"
        yield f"| `{each.name}` | {key} | {each.what}{_choices(each)} | {each.default} |"
    yield ""


def _kind(name: Name) -> str:
    words = {
        Kind.SWITCH: "true or false",
        Kind.INTEGER: "whole number",
        Kind.SECONDS: "seconds",
        Kind.AMOUNT: "number or text",
        Kind.FIGURES: "table",
    }
    return words.get(name.kind, "text")


def _choices(name: Name) -> str:
    return f": {', '.join(name.choices)}" if name.choices else ""


def _shape(shape: dict[str, Any], words: dict[str, str]) -> Iterable[str]:
    yield "| key | is | what it is for |"
    yield "|---|---|---|"
    for key, each in shape["properties"].items():
        yield f"| `{key}` | {_is(each)} | {words[key]} |"
    yield ""


def _is(shape: dict[str, Any]) -> str:
    """In words for a person."""
    if "$ref" in shape:
        return _is(schema()["$defs"][shape["$ref"].rpartition("/")[2]])
    if "enum" in shape:
        return " ".join(f"`{each}`" for each in shape["enum"])
    if "anyOf" in shape:
        return "number, or the same as text" if shape["anyOf"][-1].get("type") == "string" else "whole number"
    words = {"array": "list of", "integer": "whole number", "string": "text"}[shape["type"]]
    return f"{words} {_is(shape['items'])}" if shape["type"] == "array" else words


def _rules(shape: dict[str, Any]) -> Iterable[str]:
    yield "| key | is | unit | default |"
    yield "|---|---|---|---|"
    for key, each in shape["properties"].items():
        default = getattr(DEFAULTS, key)
        if key in SCOPE:
            yield f"| `{key}` | text | in `[[risk.rules]]` only: which orders | all |"
        else:
            yield f"| `{key}` | {_is(each)} | {_unit(key)} | {_default(default)} |"
    yield ""


def _unit(key: str) -> str:
    return {
        "duplicate_window_ms": "milliseconds",
        "duplicates": "what a twin of an order meets",
        "shadow": "names of this rule's limits that are only observed",
    }.get(key) or UNITS[key]


def _default(value: object) -> str:
    if value is None or value == frozenset():
        return "none"
    return str(getattr(value, "value", value))


def _others() -> Iterable[str]:
    yield "## Names that the file does not have\n"
    yield "| environment | what it is for |"
    yield "|---|---|"
    yield from (f"| `{name}` | {what} |" for name, what in {**KEY_NAMES, **CLIENT_NAMES}.items())
    yield ""
