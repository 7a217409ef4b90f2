"""The event loop: uvloop where it can be had, else asyncio's own.

One loop per process, for grpc.aio allows no more; what runs on it is the caller's business.
"""

import asyncio
import gc
import importlib.util
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# Python looks for garbage cycles after every 700 new objects, which a thousand readers make in a few milliseconds: a third
# of what a tick costs went into looking. What lives from the start on is left out, and looks are rarer; not rarer still,
# because nobody is served while one lasts, and after 50,000 objects that was a tenth of a second under a flood.
GARBAGE_AFTER, MIDDLE_AFTER, OLD_AFTER = 10_000, 10, 20


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The factory of uvloop, or None where it is not installed (Windows)."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs `main` on a fresh loop and closes it; an interrupt cancels `main` first."""
    settle()
    gc.set_threshold(GARBAGE_AFTER, MIDDLE_AFTER, OLD_AFTER)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main)


def settle() -> None:
    """Leaves what there is now out of the search for garbage, for good: to be called when what stays has been made."""
    gc.collect()
    gc.freeze()
