"""Paper or live: what the gateway says it is, and whether this client may change anything there.

Asked once before the first changing call, then kept up to date from the trailers of every answer, since another
gateway may stand behind the same address tomorrow. What does not plainly say paper counts as live.
"""

import grpc

from execsvc_client._decode import Trailers
from execsvc_client._errors import Facts, LiveRefused

MODE = "x-execsvc-mode"


class Guard:
    """Remembers the gateway's mode; not thread-safe beyond what single assignments are."""

    def __init__(self, *, allow_live: bool) -> None:
        self._allow_live = allow_live
        self.mode = ""

    def note(self, trailers: Trailers) -> None:
        """Read the mode off an answer; an answer without one (a proxy's) changes nothing."""
        for key, value in trailers:
            if key == MODE and isinstance(value, str) and value:
                self.mode = value

    def conclude(self, venue: str) -> None:
        """After GetServerInfo: where no trailer told the mode, the venue does."""
        if not self.mode:
            self.mode = "paper" if venue == "paper" else "live"

    def forget(self) -> None:
        """The connection was lost: what answers next may be another gateway."""
        self.mode = ""

    @property
    def must_ask(self) -> bool:
        """Nothing is known yet."""
        return not self.mode

    def check(self, target: str) -> None:
        """Raise LiveRefused if this client must not change anything there."""
        if self.mode != "paper" and not self._allow_live:
            message = f"the gateway at {target} trades live money: Client(…, allow_live=True) says that this is meant"
            raise LiveRefused(Facts(grpc.StatusCode.FAILED_PRECONDITION, message))
