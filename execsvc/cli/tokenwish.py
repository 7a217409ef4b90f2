"""What a command line asks of a new token, as rights: bundles, words, accounts, bounds, and how long it lasts.

A configured caller's token gets what its configuration says wherever the command line is silent, and never more: the service
would narrow it anyway, and whoever bakes it is told now. Writing it down is token.py's.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from execsvc.cli.exits import BAD_USAGE, Stopped
from execsvc.cli.options import Output
from execsvc.cli.wish import option

if TYPE_CHECKING:
    from decimal import Decimal

    from execsvc.domain.caller import Grant
    from execsvc.domain.rights import Rights
    from execsvc.settings import Settings

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

_UNITS_S = {"d": 86_400, "h": 3_600, "m": 60}
_LIFE_MOST_S = 10 * 366 * 86_400
_DIGITS_MOST = 9
NS = 10**9

File = Annotated[str, typer.Option("--file", help="The file of tokens. Else EXECSVC_TOKENS, or beside the store.")]
Config = Annotated[str, typer.Option("--config", help="The gateway's TOML. Else EXECSVC_CONFIG.")]
Listed = list[str] | None


@dataclass(frozen=True)
class Typed:
    """One token as it was asked for."""

    name: Annotated[str, typer.Argument(metavar="NAME", help="The caller; orders belong to it, not to its token.")]
    like: Annotated[str, option("--like", "BUNDLE", "viewer, signal, trader, risk or admin.")] = ""
    permissions: Annotated[Listed, option("--permissions", "WORDS", "By commas: market,account:main,trade:main.")] = (
        None
    )
    account: Annotated[
        Listed, option("--account", "NAME", "Where; absent: the only account there is. '*': every one.")
    ] = None
    default_account: Annotated[
        str, option("--default-account", "NAME", "The account meant where a request names none.")
    ] = ""
    pairs: Annotated[Listed, option("--pairs", "PAIRS", "Trade these only, by commas: BTC/USD,ETH/USD.")] = None
    sides: Annotated[Listed, option("--sides", "SIDE", "Only buy, or only sell.")] = None
    types: Annotated[Listed, option("--types", "TYPES", "Only these order types, by commas: limit,stop-loss.")] = None
    max_notional: Annotated[str, option("--max-notional", "USD", "The largest order.")] = ""
    rate: Annotated[int | None, typer.Option("--rate", min=1, max=1000, help="Orders a second.")] = None
    expires: Annotated[str, option("--expires", "SPAN", "90d, 12h, or never, which must be said. Absent: 90d.")] = ""
    note: Annotated[str, typer.Option("--note", help="What it is for, told by the list.")] = ""
    out: Annotated[str, option("--out", "FILE", "A new file for the token, 0600; absent: stdout, this once.")] = ""
    file: File = ""
    config: Config = ""
    output: Output = None


def rights_for(typed: Typed, loaded: "Settings") -> "Rights":
    """What the token gets. Raises Stopped for what cannot be had."""
    from execsvc.domain.rights import name_fault

    known = tuple(each.name for each in loaded.accounts)
    fault = name_fault(typed.name)
    if fault:
        raise Stopped(BAD_USAGE, fault)
    refuse_twin(typed.name, (each.name for each in loaded.callers))
    strange = sorted(set(listed(typed.account)) - {*known, "*"})
    if strange:
        raise Stopped(BAD_USAGE, f"no account {', '.join(strange)}: there are {', '.join(known)}")
    most = _configured(loaded, typed.name)
    try:
        asked = _asked(typed, known, most)
    except ValueError as wrong:
        raise Stopped(BAD_USAGE, str(wrong)) from None
    if most is not None:
        _within(typed.name, asked.over(known), most)
    return asked


def refuse_twin(name: str, known: Iterable[str]) -> None:
    """Raises Stopped for a caller that only capitals tell from one that is known."""
    twin = next((each for each in known if each != name and each.casefold() == name.casefold()), "")
    if twin:
        raise Stopped(
            BAD_USAGE, f"{name}: only capitals tell it from the caller {twin}; name that one, or choose another"
        )


def _configured(loaded: "Settings", name: str) -> "Rights | None":
    """What a configured caller may do at most."""
    from execsvc.domain.rights import Rights

    accounts = [account.name for account in loaded.accounts]
    found = (Rights(each.unbound, each.grants, each.default) for each in loaded.callers if each.name == name)
    return next((rights.over(accounts) for rights in found), None)


def _asked(typed: Typed, known: Sequence[str], most: "Rights | None") -> "Rights":
    from execsvc.domain.rights import BUNDLES, rights_of

    words = listed(typed.permissions)
    if typed.like and words:
        raise ValueError("--like and --permissions exclude one another")
    if typed.like not in {"", *BUNDLES}:
        raise ValueError(f"--like {typed.like}: there are {', '.join(BUNDLES)}")
    if typed.like:
        words = sorted(each.value for each in BUNDLES[typed.like])
    default = typed.default_account
    if words:
        words = [each for word in words for each in _spelt_out(word, typed, known)]
        _accounts_known(words, known)
    elif most is not None:
        words, default = list(most.words()), default or most.default
    else:
        raise ValueError(f"say what {typed.name} may do: --like {'|'.join(BUNDLES)}, or --permissions")
    return rights_of(words, _bounds(typed, most), default)


def _spelt_out(word: str, typed: Typed, known: Sequence[str]) -> Sequence[str]:
    """A permission of accounts that names none is meant for those of --account."""
    from execsvc.domain.rights import BOUND

    if word not in {each.value for each in BOUND}:
        return [word]
    accounts = listed(typed.account)
    if not accounts and len(known) > 1:
        raise ValueError(f"there are several accounts: say --account {'|'.join(known)}, or --account '*' for every one")
    return [f"{word}:{account}" for account in accounts or known]


def _accounts_known(words: Sequence[str], known: Sequence[str]) -> None:
    for word in words:
        account = word.partition(":")[2]
        if account and account not in {*known, "*"}:
            raise ValueError(f"{word}: no account {account}: there are {', '.join(known)}")


def _bounds(typed: Typed, most: "Rights | None") -> "Grant":
    """The bounds asked for; what is not said is as a configured caller's."""
    from execsvc.domain.caller import Grant
    from execsvc.domain.market import Side
    from execsvc.domain.spec import OrderType

    own = Grant(
        frozenset(),
        frozenset(_read("--pairs", _pair, each) for each in listed(typed.pairs)),
        frozenset(_read("--sides", _one_of(Side), each) for each in listed(typed.sides)),
        frozenset(_read("--types", _one_of(OrderType), each) for each in listed(typed.types)),
        _read("--max-notional", _amount, typed.max_notional) if typed.max_notional else None,
        typed.rate,
    )
    if most is None:
        return own
    limit = most.bounds()
    return replace(
        own,
        symbols=own.symbols or limit.symbols,
        sides=own.sides or limit.sides,
        order_types=own.order_types or limit.order_types,
        max_order_notional=limit.max_order_notional if own.max_order_notional is None else own.max_order_notional,
        orders_per_s=limit.orders_per_s if own.orders_per_s is None else own.orders_per_s,
    )


def _within(name: str, asked: "Rights", most: "Rights") -> None:
    from execsvc.domain.rights import excess

    beyond = excess(asked, most)
    if beyond:
        raise Stopped(
            BAD_USAGE, f"{name} is configured, and a token only narrows that; this would be wider: {'; '.join(beyond)}"
        )


def _read(option: str, read: Callable[[str], T], word: str) -> T:
    """The value of one option; what is wrong with it is told with the option's name. Raises ValueError."""
    try:
        return read(word)
    except ValueError as wrong:
        said = str(wrong)
        raise ValueError(f"{option} {said}" if word in said else f"{option} {word}: {said}") from None


def _one_of(kind: type[E]) -> Callable[[str], E]:
    words = [str(each.value) for each in kind]

    def read(word: str) -> E:
        if word not in words:
            raise ValueError(f"{word!r}: one of {', '.join(words)}")
        return kind(word)

    return read


def _amount(text: str) -> "Decimal":
    from execsvc.domain import money

    amount = money.parse(text)
    if amount == money.ZERO:
        raise ValueError("would refuse every order; say a figure above 0, or bake a token that does not trade")
    return amount


def _pair(text: str) -> str:
    from execsvc.settings.pairs import pair_fault

    pair = text.upper()
    fault = pair_fault(pair)
    if fault:
        raise ValueError(fault)
    return pair


def listed(given: Sequence[str] | None) -> list[str]:
    """Said several times, or once with commas."""
    return [part for each in given or () for part in (piece.strip() for piece in each.split(",")) if part]


def life_ns(text: str, default_days: int) -> int | None:
    """How long it lasts, in nanoseconds; None: for ever, which must be said. Raises Stopped."""
    if text == "never":
        return None
    given = text or f"{default_days}d"
    count, unit = given[:-1], given[-1:]
    digits = count.isascii() and count.isdecimal() and len(count) <= _DIGITS_MOST
    seconds = int(count) * _UNITS_S.get(unit, 0) if digits else 0
    if not 0 < seconds <= _LIFE_MOST_S:
        raise Stopped(BAD_USAGE, f"--expires {text}: write 90d, 12h or 30m, ten years at most, or never")
    return seconds * NS
