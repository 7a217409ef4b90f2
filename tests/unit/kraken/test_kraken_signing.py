"""Signatures against the published vector and its JSON twins."""

import pickle

import pytest
from kraken_parts import SECRET, vector

from execsvc.kraken.signing import BadSecretError, Signer
from execsvc.runtime.secrets import Secret

SIGNATURES = vector("auth_signature_vectors")


@pytest.mark.parametrize("case", SIGNATURES, ids=[case["kind"][:20] for case in SIGNATURES])
def test_signature_is_the_published_one(case):
    """Path, nonce and the exact body bytes give the signature Kraken prints."""
    signer = Signer("key", Secret(case["private_key"]))
    headers = signer.sign(case["path"], int(case["nonce"]), case["body"].encode())
    assert case["api_sign"] == headers["API-Sign"]
    assert headers["API-Key"] == "key"


def test_one_signature_leaves_no_trace_in_the_next():
    """The key is prepared once and used for every call: the same call is signed the same, whatever was signed between."""
    case, signer = SIGNATURES[0], Signer("key", Secret(SIGNATURES[0]["private_key"]))
    calls = (case["path"], "/0/private/Balance", case["path"])
    first, _, again = (signer.sign(path, int(case["nonce"]), case["body"].encode())["API-Sign"] for path in calls)
    assert (case["api_sign"], case["api_sign"]) == (first, again)


def test_signer_shows_neither_key_nor_secret():
    """Repr shows a fingerprint only."""
    shown = repr(Signer("a-public-key", Secret(SECRET)))
    assert "a-public-key" not in shown
    assert SECRET[:8] not in shown


def test_fingerprint_names_the_key_and_not_the_secret():
    """Two signers of one key have one fingerprint, another key has another."""
    one = Signer("key", Secret(SECRET)).fingerprint
    assert one == Signer("key", Secret("aGVsbG8=")).fingerprint
    assert one != Signer("other", Secret(SECRET)).fingerprint


@pytest.mark.parametrize("text", ["no base64!", "äöü", "abc"])
def test_bad_secret_is_refused_without_showing_it(text):
    """The error names the rule, never the text."""
    with pytest.raises(BadSecretError) as failure:
        Signer("key", Secret(text))
    assert text not in str(failure.value)
    assert failure.value.__cause__ is None


def test_secret_cannot_be_pickled():
    """A Secret does not travel by pickle."""
    with pytest.raises(TypeError):
        pickle.dumps(Secret(SECRET))
