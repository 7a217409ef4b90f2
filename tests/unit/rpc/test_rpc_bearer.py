"""The text of a token, and the header it comes in: read or refused, and never repeated."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.rpc.bearer import HEADER_MAX, MalformedHeaderError, bake, bearer_of, digest
from execsvc.runtime.entropy import RealEntropy

TEXT = "xs_0a1b2c3d_" + "A-_z" * 10 + "abc"
ALPHABET = string.ascii_letters + string.digits + "-_"


def read(header):
    return bearer_of({"authorization": header})


def test_a_baked_token_is_read_back():
    """Id, and the hash of the whole text: what is kept of it."""
    made = bake(RealEntropy())
    found = read(f"Bearer {made.text}")
    assert (made.id, made.sha256) == (found.id, found.sha256)


def test_a_token_is_made_of_256_random_bits():
    """43 letters of base64url without padding, behind an id of eight hex digits; each token another."""
    one, other = bake(RealEntropy()), bake(RealEntropy())
    head, token_id, secret = one.text.split("_", 2)
    assert ("xs", one.id, 43, True) == (head, token_id, len(secret), set(secret) <= set(ALPHABET))
    assert one.id != other.id
    assert one.sha256 != other.sha256


def test_without_a_header_there_is_no_token():
    """That is no error: a certificate may do."""
    assert bearer_of({"x-request-id": "1"}) is None


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_case_insensitive(scheme):
    """RFC 6750, by RFC 7235 2.1."""
    assert digest(TEXT) == read(f"{scheme} {TEXT}").sha256


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        TEXT,
        f"Basic {TEXT}",
        f"Bearer{TEXT}",
        f"Bearer\t{TEXT}",
        f"Bearer {TEXT} {TEXT}",
        f"Bearer {TEXT}, Bearer {TEXT}",
        f"Bearer {TEXT},",
        f"Bearer {TEXT}x",
        f"Bearer {TEXT[:-1]}",
        f"Bearer {TEXT.upper()}",
        f"Bearer {TEXT.replace('0a1b2c3d', '0A1B2C3D')}",
        f"Bearer {TEXT[:-1]}=",
        f"Bearer {TEXT[:-1]}é",
        f"Bearer {TEXT}\n",
        f"Bearer {TEXT}\x00",
        f"Bearer {' ' * HEADER_MAX}{TEXT}",
        "Bearer " + "x" * 100_000,
    ],
)
def test_anything_else_is_refused_without_an_echo(header):
    """One scheme, one token, nothing behind it; the error says nothing of what was sent."""
    with pytest.raises(MalformedHeaderError) as refused:
        read(header)
    assert "the authorization header is not `Bearer` and one token" == str(refused.value)


@given(st.text(max_size=400) | st.builds("{} {}".format, st.sampled_from(["Bearer", "bearer"]), st.text(ALPHABET)))
def test_no_header_raises_anything_else(header):
    """Whatever is sent is read as a token or refused as malformed."""
    try:
        found = read(header)
    except MalformedHeaderError:
        return
    assert digest(header.split()[1]) == found.sha256


def test_no_token_shows_itself():
    """Neither text nor hash is in a repr."""
    made = bake(RealEntropy())
    shown = f"{made!r} {read(f'Bearer {made.text}')!r}"
    assert (True, False, False) == (made.id in shown, made.text in shown, made.sha256 in shown)
