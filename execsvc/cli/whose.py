"""Whose orders a verb is about, as one types it, and what the client calls that.

The option is worded twice: looking at others' orders needs one permission, ending them another.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from execsvc_client import ScopeLike


class Whose(StrEnum):
    """Whose orders."""

    OWN = "own"
    CALLERS = "all-callers"
    ACCOUNT = "account"

    @property
    def scope(self) -> "ScopeLike":
        """The client's word."""
        scopes: dict[Whose, ScopeLike] = {Whose.OWN: "own", Whose.CALLERS: "all_callers", Whose.ACCOUNT: "account"}
        return scopes[self]


_ALL = "own: yours; all-callers: everybody's who uses the gateway; account: also what was placed by hand"
ToSee = Annotated[Whose, typer.Option("--whose", help=f"{_ALL} (need the permission account).")]
ToEnd = Annotated[Whose, typer.Option("--whose", help=f"{_ALL} (need kill).")]
