"""What a planted bug is: a small change of the engine's own classes, put in for a while, and the rules that must see it.

The bugs themselves are in bugs.py (one order), many.py (many at once, or one again), halts.py and hands.py; hunt.py looks
for them.
"""

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """One planted bug: its number in promises.md, `plant` puts it in, any of `rules` sees it.

    shown_by: a seed that showed it once, where to look first; only time is saved by it.
    """

    number: int
    name: str
    plant: Callable[[], "list[tuple[object, str, object]]"]
    rules: frozenset[str]
    without: str = ""
    shown_by: int | None = None

    @contextmanager
    def planted(self):
        """The engine with the bug in it."""
        with ExitStack() as stack:
            for owner, name, changed in self.plant():
                stack.enter_context(_changed(owner, name, changed))
            yield


@contextmanager
def _changed(owner, name, changed):
    kept = owner.__dict__[name]
    setattr(owner, name, changed)
    try:
        yield
    finally:
        setattr(owner, name, kept)
