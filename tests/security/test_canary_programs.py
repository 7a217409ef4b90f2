"""In a compiled program "Bearer " is a word among words, and no sign of a secret; what has a form is found there too."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.canary import BEARER, KEY, finds_in_file
from tests.support.canary_samples import FORMS, KINDS

PADDING = bytes(56)
ELF = b"\x7fELF\2\1\1" + bytes(9)
PROGRAMS = {
    "ELF": ELF + b"\2\0",
    "ELF, an object": ELF + b"\1\0",
    "ELF, the other order": b"\x7fELF\2\2\1" + bytes(9) + b"\0\2",
    "an archive": b"!<arch>\n",
    "Mach-O": b"\xcf\xfa\xed\xfe",
    "Mach-O, 32 bits": b"\xce\xfa\xed\xfe",
    "Mach-O, the other order": b"\xfe\xed\xfa\xcf",
    "Mach-O, of several": b"\xca\xfe\xba\xbe",
    "Windows": b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0",
    "WebAssembly": b"\0asm",
}
NO_PROGRAMS = {
    "text": b"the words of a compiled program: ",
    "a core dump": ELF + b"\4\0",
    "a core dump, the other order": b"\x7fELF\2\2\1" + bytes(9) + b"\0\4",
    "text that begins like one": b"MZ wrote at noon: " + PADDING,
    "a program further in": PADDING + ELF,
}
# As Go's linker puts them: words of one length side by side.
WORDS = b"OctoberdeletedunknownservingBearer GetBookSwapperinvaliduintptr"


@pytest.mark.parametrize("kind", PROGRAMS)
def test_the_words_of_a_compiled_program_are_no_secret(kind):
    """After its "Bearer " stands whatever other word is as long."""
    assert [] == finds_in_file(PROGRAMS[kind] + WORDS)


@pytest.mark.parametrize("kind", NO_PROGRAMS)
def test_what_is_no_program_is_searched_for_authorizations(kind):
    """A core dump is memory: it holds what was sent."""
    assert [BEARER] == [found.kind for found in finds_in_file(NO_PROGRAMS[kind] + WORDS)]


@pytest.mark.parametrize("form", FORMS)
@given(secret=KINDS, program=st.sampled_from(sorted(PROGRAMS)))
def test_a_secret_that_was_compiled_in_is_found(form, secret, program):
    """Whatever has a form is found in a program as it is in a text, also behind a "Bearer "."""
    kind, text = secret
    content = PROGRAMS[program] + WORDS + b"\0Bearer " + FORMS[form](text).encode() + b"\0" + WORDS
    assert {kind} == {found.kind for found in finds_in_file(content)}


@pytest.mark.parametrize("encode", [base64.b64encode, lambda raw: raw.hex().encode()], ids=["base64", "hex"])
def test_an_authorization_does_not_stand_before_a_secret(encode):
    """Encoded together, with a "Bearer " of no meaning in front: the key behind it is found nevertheless."""
    content = PROGRAMS["ELF"] + b"\0" + encode(WORDS + b"\0PAPER" + b"aB3" * 17)
    assert [KEY] == [found.kind for found in finds_in_file(content)]
