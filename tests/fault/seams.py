"""Wrapping a function of a class at run time: a seam, what may stand around it, and how all of it is given back.

A wrapper calls what it wraps, gives back its result or error unchanged, and says when it was passed. Which seams there are
and what passing them means is points.py.
"""

import inspect
from contextlib import contextmanager
from functools import wraps
from typing import NamedTuple

from execsvc.store.batch import Batch
from execsvc.store.tables import Tables


class Seam(NamedTuple):
    """One function of one class. `wrap(original, passed)` makes what stands in its place."""

    owner: type
    name: str
    wrap: object


@contextmanager
def installed(seams):
    """Seams wrapped, each with what its passing calls; later ones around earlier ones. One that is not there: KeyError."""
    originals = []
    try:
        for (owner, name, wrap), passed in seams:
            original = vars(owner)[name]
            originals.append((owner, name, original))
            setattr(owner, name, wrap(original, passed))
        yield
    finally:
        for owner, name, original in reversed(originals):
            setattr(owner, name, original)


def about(*wanted):
    """Whether a call has an argument of one of these kinds; without kinds every call counts."""
    return lambda *args, **named: not wanted or any(isinstance(each, wanted) for each in (*args, *named.values()))


def before(counts):
    """Passed as the call begins."""
    return _around(counts, first=True)


def after(counts):
    """Passed when the call has its result and nobody has seen it yet; not when it raised."""
    return _around(counts, first=False)


def _around(counts, *, first):
    def wrap(original, passed):
        def pass_by(now, args, named):
            if now is first and counts(*args, **named):
                passed()

        @wraps(original)
        async def awaited(*args, **named):
            pass_by(True, args, named)
            result = await original(*args, **named)
            pass_by(False, args, named)
            return result

        @wraps(original)
        def called(*args, **named):
            pass_by(True, args, named)
            result = original(*args, **named)
            pass_by(False, args, named)
            return result

        return awaited if inspect.iscoroutinefunction(original) else called

    return wrap


def committed(name, *writes):
    """Passed in the writer's thread when a batch with such a write is committed and nobody has been told."""

    def noted(counts):
        def wrap(original, _):
            @wraps(original)
            def wrapped(batch, *args, **named):
                result = original(batch, *args, **named)
                if counts(*args, **named):
                    vars(batch).setdefault("noted", set()).add(name)
                return result

            return wrapped

        return wrap

    def transaction(original, passed):
        @contextmanager
        def wrapped(tables):
            with original(tables) as batch:
                yield batch
            if name in vars(batch).get("noted", ()):
                passed()

        return wrapped

    return (
        *(Seam(Batch, method, noted(counts)) for method, counts in writes),
        Seam(Tables, "transaction", transaction),
    )
