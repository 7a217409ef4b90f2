"""Who is local."""

import pytest

from execsvc.domain.caller import Permission
from execsvc.domain.errors import Declined, Reason
from execsvc.rpc.callers import LocalCaller

NEAR = [
    "ipv4:127.0.0.1:50051",
    "ipv4:127.9.9.9:1",
    "ipv6:[::1]:5",
    "ipv6:%5B::1%5D:5",
    "ipv6:[::ffff:127.0.0.1]:5",
    "unix:",
    "unix:/run/x",
]
FAR = [
    "ipv4:192.0.2.7:50051",
    "ipv6:[2001:db8::1]:5",
    "ipv6:[::ffff:192.0.2.7]:5",
    "",
    "ipv4:",
    "vsock:2:1",
    "ipv4:127.0.0.1.evil:5",
]


@pytest.mark.parametrize("peer", NEAR)
def test_this_machine_is_the_local_caller(peer):
    """Loopback and unix sockets are `local`, with every permission on the account."""
    caller = LocalCaller("main").recognise({"authorization": "Bearer x"}, peer)
    granted = frozenset(each for each in Permission if caller.may(each, "main"))
    assert ("local", frozenset(Permission), ("main",)) == (caller.name, granted, caller.accounts)


def test_the_local_caller_has_every_account_and_the_first_is_its_default():
    """Who names none means that one."""
    caller = LocalCaller("main", "hedge").recognise({}, "unix:")
    assert (("main", "hedge"), "main") == (caller.accounts, caller.default)


def test_without_tokens_nobody_but_the_local_caller_is_known():
    """By that name."""
    callers = LocalCaller("main")
    assert [True, False] == [callers.knows(name) for name in ("local", "bot")]


@pytest.mark.parametrize("peer", FAR)
def test_another_machine_is_nobody(peer):
    """Without tokens nobody else is recognised, nor a peer that cannot be read."""
    with pytest.raises(Declined) as caught:
        LocalCaller("main").recognise({}, peer)
    assert Reason.TOKEN_INVALID is caught.value.reason


@pytest.mark.parametrize("peer", FAR)
def test_anywhere_is_asked_for_in_words(peer):
    """With `anywhere` every peer is local, and the server says so."""
    callers = LocalCaller("main", anywhere=True)
    assert ("local", "one local caller, no tokens, from anywhere") == (
        callers.recognise({}, peer).name,
        callers.describe(),
    )
