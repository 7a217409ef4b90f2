"""A caller's token as it is kept: who it is, what it may do, until when; of the token itself only a hash.

The token's text is rpc/bearer.py's, the file of them runtime/tokenfile.py's.
"""

from dataclasses import dataclass, field

from execsvc.domain.rights import Rights

LIFE_DAYS = 90  # unless asked for otherwise
DAY_NS = 86_400 * 10**9


@dataclass(frozen=True)
class Token:
    """`id` is no secret and names it in lists and logs; sha256: of the whole text, in hex; expires_ns None: never.

    Instants are nanoseconds of the wall clock.
    """

    id: str
    caller: str
    sha256: str = field(repr=False)
    created_ns: int
    expires_ns: int | None
    rights: Rights
    note: str = ""

    def is_over(self, now_ns: int) -> bool:
        """Whether its time has come."""
        return self.expires_ns is not None and now_ns >= self.expires_ns
