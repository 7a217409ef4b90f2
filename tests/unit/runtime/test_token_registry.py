"""The tokens in force while the service runs: new ones within a look, a broken file changes nothing and is told."""

import asyncio
import json
import os
from dataclasses import replace

import pytest

from execsvc.domain.rights import rights_of
from execsvc.runtime.tokenfile import TokenFileError, change
from execsvc.runtime.tokenregistry import LOOK_AGAIN_S, LOOK_S, USED_EVERY_S, TokenRegistry, last_used
from tests.support.simloop import SimClock, run_sim
from tests.support.tokens import BORN_NS, baked, token_file

BOT, BOT_TEXT = baked("bot", "market")
NEW, _ = baked("new", "market")


@pytest.fixture
def path(tmp_path):
    return token_file(tmp_path / "tokens.toml", BOT)


def followed(path, script):
    """`script(registry, alarms, clock)` while the file is followed, in virtual time."""

    async def main():
        clock, alarms = SimClock(), []
        registry = TokenRegistry.of(path, clock=clock, alarm=alarms.append)
        following = asyncio.ensure_future(registry.follow())
        try:
            return await script(registry, alarms, clock)
        finally:
            following.cancel()

    return run_sim(main())


def test_a_changed_file_is_in_force_by_the_next_look(path):
    """New tokens are found, revoked ones are gone, and the revision says so."""

    async def script(registry, alarms, clock):
        before = registry.revision
        change(path, lambda _: [NEW])
        await clock.sleep(LOOK_S + 0.01)
        return registry.find(BOT.id), registry.find(NEW.id), registry.revision - before, alarms

    assert (None, NEW, 1, []) == followed(path, script)


def test_what_became_of_each_token_is_told_once_with_its_event(path):
    """Baked, narrowed, widened, taken back; a note is no news, and an old one that leaves is not called revoked."""
    kept, _ = baked("kept", "market", "trade:*", expires_ns=BORN_NS + 10**15)
    over, _ = baked("over", "market", expires_ns=1)
    less = replace(kept, rights=rights_of(["market", "trade:main"]))
    change(path, lambda tokens: [*tokens, kept, over])
    told = []

    async def main():
        def tell(event, token):
            told.append((event, token.caller))

        registry = TokenRegistry.of(path, clock=SimClock(), alarm=told.append, tell=tell)
        shorter = replace(less, expires_ns=BORN_NS + 10**14)
        for state in ([BOT, less], [BOT, replace(less, note="x")], [BOT, shorter], [BOT, kept, NEW], [kept, NEW]):
            change(path, lambda _, state=state: state)
            registry.look()
            registry.look()

    run_sim(main())
    assert [
        ("token.dropped", "over"),
        ("token.narrowed", "kept"),
        ("token.narrowed", "kept"),
        ("token.changed", "kept"),
        ("token.baked", "new"),
        ("token.revoked", "bot"),
    ] == told


def test_a_caller_has_tokens_while_one_of_them_is_in_the_file(path):
    """By name, and no longer than the file says so."""

    async def script(registry, alarms, clock):
        before = registry.has("bot"), registry.has("new")
        change(path, lambda _: [NEW])
        await clock.sleep(LOOK_S + 0.01)
        return before, (registry.has("bot"), registry.has("new"))

    assert ((True, False), (False, True)) == followed(path, script)


def test_a_token_baked_a_moment_ago_is_found(path):
    """Whoever bakes one and uses it at once is not sent away; guesses make nobody look more than twenty times a second."""

    async def script(registry, alarms, clock):
        await clock.sleep(LOOK_AGAIN_S)
        change(path, lambda _: [BOT, NEW])
        found = registry.find(NEW.id)
        other, _ = baked("other", "market")
        change(path, lambda _: [BOT, NEW, other])
        await clock.sleep(LOOK_AGAIN_S / 2)
        too_soon = registry.find(other.id)
        await clock.sleep(LOOK_AGAIN_S / 2)
        return found, too_soon, registry.find(other.id) == other

    assert (NEW, None, True) == followed(path, script)


def test_an_unchanged_file_is_not_read_again(path, monkeypatch):
    """Looking costs a stat."""

    async def script(registry, alarms, clock):
        monkeypatch.setattr("execsvc.runtime.tokenregistry.read", lambda _: pytest.fail("it was read again"))
        await clock.sleep(60)
        return registry.revision

    assert 1 == followed(path, script)


@pytest.mark.parametrize(
    ("breaking", "told"),
    [
        (lambda path: path.write_text("version ="), "end of document"),
        (lambda path: path.write_text('version = 1\n[[token]]\nid = "x"\n'), "token"),
        (lambda path: path.chmod(0o644), "mode 0644"),
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_text(""), "empty"),
    ],
)
def test_a_broken_file_keeps_the_last_good_tokens_in_force(path, breaking, told):
    """And says so, once, until it is mended: then what it says counts, and nothing is wrong any more."""

    async def script(registry, alarms, clock):
        before = registry.revision
        breaking(path)
        await clock.sleep(60)
        kept, problem = (registry.find(BOT.id), registry.revision == before), registry.problem
        path.unlink(missing_ok=True)
        (path.parent / "admin.token").unlink()
        token_file(path, NEW)
        await clock.sleep(LOOK_S + 0.01)
        return kept, problem, alarms, registry.problem, registry.find(NEW.id), registry.find(BOT.id)

    kept, problem, alarms, mended, new, old = followed(path, script)
    assert ((BOT, True), [problem], "", NEW, None) == (kept, alarms, mended, new, old)
    assert told in problem


def test_a_file_that_is_unfit_from_the_start_refuses(path):
    """There is no last good one to keep."""
    path.chmod(0o666)
    with pytest.raises(TokenFileError, match="mode 0666"):
        TokenRegistry.of(path, clock=SimClock(), alarm=lambda _: None)


# ---- last used -------------------------------------------------------------------------------------------------------


def test_use_is_written_once_a_minute_and_at_the_end(path):
    """Beside the file, by id; not with every call."""
    beside = path.with_name("tokens.toml.used")

    async def script(registry, alarms, clock):
        registry.used(BOT.id)
        await clock.sleep(USED_EVERY_S - 10)
        early = beside.exists()
        await clock.sleep(20)
        written = last_used(path)[BOT.id]
        registry.used(BOT.id)
        await clock.sleep(20)
        held_back = last_used(path)[BOT.id]
        registry.write_used()
        return early, written, held_back, last_used(path)[BOT.id]

    start = SimClock.EPOCH_NS
    assert (False, start, start, start + 70 * 10**9) == followed(path, script)


def test_what_is_told_of_use_holds_no_secret_and_is_the_owners_alone(path):
    """Ids and times."""

    async def script(registry, alarms, clock):
        registry.used(BOT.id)
        registry.write_used()

    followed(path, script)
    beside = path.with_name("tokens.toml.used")
    assert ({BOT.id: "2026-09-21T14:13:20Z"}, "0o600") == (
        json.loads(beside.read_text()),
        oct(beside.stat().st_mode & 0o777),
    )


def test_use_is_remembered_over_a_restart_and_forgotten_with_the_token(path):
    """The next life goes on with it; a revoked token leaves the list."""

    async def first(registry, alarms, clock):
        registry.used(BOT.id)
        registry.write_used()

    async def second(registry, alarms, clock):
        registry.write_used()
        kept = set(last_used(path))
        change(path, lambda _: [NEW])
        await clock.sleep(1)
        registry.write_used()
        return kept, set(last_used(path))

    followed(path, first)
    assert ({BOT.id}, set()) == followed(path, second)


@pytest.mark.parametrize("text", ["", "[", "[]", '{"a": 1}', '{"a": "soon"}', "null"])
def test_what_cannot_be_read_of_use_is_not_known(path, text):
    """Nothing depends on it."""
    path.with_name("tokens.toml.used").write_text(text)
    assert {} == last_used(path)


def test_a_folder_that_cannot_be_written_hurts_nobody(path, monkeypatch):
    """The tokens stay in force; when they were used is then not told."""

    async def script(registry, alarms, clock):
        registry.used(BOT.id)

        def full(*_):
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr("execsvc.runtime.tokenregistry.os.open", full)
        registry.write_used()
        return registry.find(BOT.id), alarms

    assert (BOT, []) == followed(path, script)
