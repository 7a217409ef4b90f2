"""`live check` and `doctor --live` as verbs: the process is hardened before a key is read, and each line keeps its name."""

import pytest

from execsvc.app.livefacts import Facts


@pytest.fixture
def done(monkeypatch):
    """What was done, in its sequence, in place of looking at a real exchange; nothing could be had."""
    steps = []

    def look(_):
        steps.append("look")
        return Facts(now_ns=0, mode="live")

    monkeypatch.setattr("execsvc.runtime.harden.harden", lambda: steps.append("harden"))
    monkeypatch.setattr("execsvc.compose.livefacts.look", look)
    return steps


@pytest.mark.parametrize("typed", [("live", "check"), ("doctor", "--live", "--target", "127.0.0.1:1")])
def test_the_process_is_hardened_before_a_key_is_read(execsvc, done, typed):
    """The keys are those that serve reads, and serve does so too."""
    execsvc(*typed)
    assert ["harden", "look"] == done


def test_the_doctor_keeps_out_of_other_processes_without_keys(execsvc, done):
    """It reads none then: nothing is set for good."""
    execsvc("doctor", "--target", "127.0.0.1:1")
    assert [] == done


@pytest.mark.usefixtures("done")
def test_the_doctor_says_which_line_was_not_looked_at(execsvc):
    """Eleven times the same words would say nothing, and a word stands apart from the next."""
    out = execsvc("doctor", "--live", "--target", "127.0.0.1:1").out.splitlines()
    at = out.index("live check, line 3: rights of the key")
    assert out[at + 1].startswith("  not looked at what it needs was not to be had")
