"""The file of tokens: what is read, what is refused, and that whoever changes it is alone and leaves it whole."""

import multiprocessing
import os
import re
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.caller import Grant, Permission
from execsvc.domain.market import Side
from execsvc.domain.rights import Rights
from execsvc.domain.spec import OrderType
from execsvc.domain.token import Token
from execsvc.runtime import tokenfile
from execsvc.runtime.secrets import Secret
from execsvc.runtime.tokenfile import TokenFileError, change, create, read, render, tokens_of, write_secret
from tests.support.tokens import baked, token_file

HASH = "a" * 64
BOT, _ = baked("bot", "market", "trade:main")
ROW = {
    "id": '"0a1b2c3d"',
    "caller": '"bot"',
    "sha256": f'"{HASH}"',
    "created": "2026-11-26T07:00:00Z",
    "permissions": '["market"]',
}

bounds = st.builds(
    Grant,
    st.just(frozenset()),
    st.frozensets(st.sampled_from(["BTC/USD", "ETH/EUR"])),
    st.frozensets(st.sampled_from(Side)),
    st.frozensets(st.sampled_from(OrderType)),
    st.none() | st.decimals("0.01", "1000000", places=2),
    st.none() | st.integers(1, 1000),
)


@st.composite
def tokens(draw):
    bound, free = draw(bounds), st.frozensets(st.sampled_from([Permission.MARKET, Permission.ADMIN]))
    words = st.frozensets(st.sampled_from([Permission.TRADE, Permission.CANCEL]), min_size=1)
    granted = draw(st.dictionaries(st.sampled_from(["main", "*"]), words, min_size=1))
    grants = {name: replace(bound, permissions=each) for name, each in granted.items()}
    ends = st.none() | st.integers(1, 4 * 10**9).map(lambda second: second * 10**9)
    printable = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40)
    return Token(
        draw(st.integers(0, 2**32 - 1).map("{:08x}".format)),
        draw(st.sampled_from(["bot", "risk-1"])),
        HASH,
        draw(st.integers(1, 4 * 10**9)) * 10**9,
        draw(ends),
        Rights(draw(free), grants, draw(st.sampled_from(["", *([*grants] if "*" not in grants else ["main"])]))),
        draw(printable | st.just("a\"b\\c'd\tx\x7f")),
    )


def text_of(**changes):
    row = {**ROW, **changes}
    return "version = 1\n[[token]]\n" + "".join(f"{name} = {value}\n" for name, value in row.items() if value)


def unfit(text):
    with pytest.raises(ValueError) as refused:
        tokens_of(text)
    return str(refused.value)


# ---- reading ---------------------------------------------------------------------------------------------------------


@given(st.lists(tokens(), max_size=4, unique_by=lambda each: each.id))
def test_what_is_written_is_read(given_tokens):
    """Every token comes back as it was, whatever its note says; and the file is TOML to everybody else too."""
    text = render(given_tokens)
    assert tuple(given_tokens) == tokens_of(text)
    assert [each.id for each in given_tokens] == [each["id"] for each in tomllib.loads(text).get("token", [])]


def test_no_secret_is_in_the_file():
    """Of a token's text only the hash."""
    token, text = baked("bot", "market")
    assert (True, False) == (token.sha256 in render([token]), text.rpartition("_")[2] in render([token]))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"id": '"0A1B2C3D"'}, "$.token[0].id"),
        ({"id": '"0a1b2c3"'}, "$.token[0].id"),
        ({"sha256": '"abc"'}, "$.token[0].sha256"),
        ({"permissions": '["trade"]'}, "token 0a1b2c3d: 'trade'"),
        ({"permissions": '["root"]'}, "token 0a1b2c3d: 'root'"),
        ({"permissions": ""}, "permissions"),
        ({"caller": '"local"'}, "the house's own name"),
        ({"caller": '"a b"'}, "token 0a1b2c3d: a caller's name"),
        ({"created": "2026-11-26T07:00:00"}, "a time needs its zone"),
        ({"expires": '"soon"'}, "expires"),
        ({"max_order_notional": '"1e6"'}, "not a decimal"),
        ({"max_order_notional": "100"}, "max_order_notional"),
        ({"orders_per_s": "0"}, "orders_per_s"),
        ({"sides": '["both"]'}, "sides"),
        ({"order_types": '["iceberg"]'}, "order_types"),
        ({"default_account": '"hedge"'}, "default account 'hedge'"),
        ({"premissions": '["market"]'}, "premissions"),
    ],
)
def test_a_row_that_cannot_be_meant_makes_the_whole_file_unfit(changes, told):
    """A typo in a file of rights is not a warning: it says where."""
    assert told in unfit(text_of(**changes))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "version"),
        ("version = 2\n", "version 2"),
        ("version = 1\ntokens = []\n", "tokens"),
        ("version = 1\n[[token]\n", "line 2"),
        (text_of() + text_of().removeprefix("version = 1\n"), "two tokens have one id"),
    ],
)
def test_a_file_of_another_kind_is_refused(text, told):
    """Its version, its shape, its ids."""
    assert told in unfit(text)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o602, 0o604, 0o666])
def test_a_file_that_others_can_read_or_write_is_refused(tmp_path, mode):
    """One line that names the file and its mode."""
    path = token_file(tmp_path / "tokens.toml", BOT)
    path.chmod(mode)
    with pytest.raises(TokenFileError, match=rf"tokens\.toml: mode {mode:04o}"):
        read(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    """With its path."""
    with pytest.raises(TokenFileError, match=r"tokens\.toml: No such file"):
        read(tmp_path / "tokens.toml")


# ---- writing ---------------------------------------------------------------------------------------------------------


def test_everything_that_is_written_is_the_owners_alone(tmp_path):
    """0600, whatever the umask says: the tokens, the secrets, the lock."""
    before = os.umask(0)
    try:
        path = token_file(tmp_path / "state" / "tokens.toml", BOT)
        change(path, lambda held: [*held, baked("b", "market")[0]])
        write_secret(tmp_path / "state" / "bot.token", Secret("x"))
    finally:
        os.umask(before)
    modes = {each.name: oct(each.stat().st_mode & 0o777) for each in path.parent.iterdir()}
    assert dict.fromkeys(["tokens.toml", "tokens.toml.lock", "admin.token", "bot.token"], "0o600") == modes
    assert "0o700" == oct(path.parent.stat().st_mode & 0o777)


def test_the_first_start_writes_nothing_over(tmp_path):
    """A second one finds the file and leaves it alone, and the tokens beside it."""
    path = token_file(tmp_path / "tokens.toml", BOT)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert create(path, [], {"admin.token": Secret("other")}) is False
    assert before == {each.name: each.read_bytes() for each in tmp_path.iterdir()}


def test_a_file_that_is_there_is_not_even_locked(tmp_path):
    """It may be mounted where nothing can be written, as containers do."""
    path = token_file(tmp_path / "tokens.toml", BOT)
    path.with_name("tokens.toml.lock").unlink()
    assert create(path, [], {"admin.token": Secret("other")}) is False
    assert {"tokens.toml", "admin.token"} == {each.name for each in tmp_path.iterdir()}


def test_a_secret_without_its_file_is_not_written_over(tmp_path):
    """Somebody took the file away: whether that was meant is not guessed."""
    (tmp_path / "admin.token").write_text("mine")
    with pytest.raises(TokenFileError, match=r"bring that back, or remove admin\.token"):
        create(tmp_path / "tokens.toml", [BOT], {"admin.token": Secret("x")})
    assert ("mine", False) == ((tmp_path / "admin.token").read_text(), (tmp_path / "tokens.toml").exists())


@pytest.mark.parametrize("name", ["admin.token", "tokens.toml.lock"])
def test_a_planted_link_is_not_followed(tmp_path, name):
    """Whoever can write the folder must not have us write elsewhere, not even to a place that is not there yet."""
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TokenFileError, match=re.escape(str(tmp_path / name))):
        create(tmp_path / "tokens.toml", [BOT], {"admin.token": Secret("x")})
    assert (False, False) == ((tmp_path / "elsewhere").exists(), (tmp_path / "tokens.toml").exists())


def test_a_link_that_leads_nowhere_is_no_file_to_begin_with(tmp_path):
    """It is left as it is: nothing is written, and reading it is refused."""
    (tmp_path / "tokens.toml").symlink_to(tmp_path / "elsewhere")
    assert create(tmp_path / "tokens.toml", [BOT], {"admin.token": Secret("x")}) is False
    with pytest.raises(TokenFileError):
        read(tmp_path / "tokens.toml")
    assert ["tokens.toml"] == [each.name for each in tmp_path.iterdir()]


def test_a_link_to_the_file_stays_a_link(tmp_path):
    """What it leads to is changed, as a mounted file wants it."""
    (tmp_path / "real").mkdir()
    place = token_file(tmp_path / "real" / "tokens.toml", BOT)
    link = tmp_path / "tokens.toml"
    link.symlink_to(place)
    change(link, lambda _: [])
    assert (True, ()) == (link.is_symlink(), read(place))


def test_a_change_that_fails_leaves_the_file_as_it_was(tmp_path):
    """Whatever goes wrong in it."""
    path = token_file(tmp_path / "tokens.toml", BOT)
    before = path.read_bytes()

    def broken(held):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        change(path, broken)
    assert (before, {"tokens.toml", "tokens.toml.lock", "admin.token"}) == (
        path.read_bytes(),
        {each.name for each in tmp_path.iterdir()},
    )


def test_the_leaving_of_a_killed_writer_is_no_obstacle(tmp_path):
    """A half-written new file is thrown away by the next change, which holds the lock."""
    path = token_file(tmp_path / "tokens.toml", BOT)
    (tmp_path / ".tokens.toml.new").write_text("version =")
    change(path, lambda _: [])
    assert () == read(path)


def test_more_tokens_than_are_read_are_not_written(tmp_path):
    """The file would be of no use to the next start."""
    path = token_file(tmp_path / "tokens.toml", BOT)
    with pytest.raises(TokenFileError, match="revoke tokens that are not used"):
        change(path, lambda _: [baked("bot", "market", note="x" * 200)[0] for _ in range(300)])
    assert (BOT,) == read(path)


def test_whoever_waits_too_long_for_his_turn_is_told(tmp_path, monkeypatch):
    """A writer that hangs blocks nobody for ever."""
    path = token_file(tmp_path / "tokens.toml", BOT)
    monkeypatch.setattr(tokenfile, "LOCK_S", 0.05)

    def nested(held):
        change(path, lambda again: again)
        return held

    with pytest.raises(TokenFileError, match="changed by another program"):
        change(path, nested)


def _bake_some(path, count):
    for _ in range(count):
        change(path, lambda held: [*held, baked("bot", "market")[0]])


def test_no_token_is_lost_when_several_are_baked_at_once(tmp_path):
    """Three programs, each adding its own: all are there in the end, and every state in between was whole."""
    path = token_file(tmp_path / "tokens.toml", BOT)
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_bake_some, args=(path, 8)) for _ in range(3)]
    for each in writers:
        each.start()
    seen = []
    while any(each.is_alive() for each in writers):
        seen.append(len(read(path)))
    for each in writers:
        each.join(30)
    assert ([0, 0, 0], 25, sorted(seen)) == ([each.exitcode for each in writers], len(read(path)), seen)
