"""Which venue: Kraken itself in live mode, the built-in exchange in paper mode, or addresses of the operator's own.

Paper mode never goes beyond this machine, whatever address is given; a key is not looked at here.
"""

from execsvc.settings.scalars import Scalars
from execsvc.settings.values import Mode, VenueUrls

LIVE = VenueUrls("https://api.kraken.com", "wss://ws.kraken.com/v2", "wss://ws-auth.kraken.com/v2")
_NAMES = ("EXECSVC_KRAKEN_REST_URL", "EXECSVC_KRAKEN_WS_URL", "EXECSVC_KRAKEN_WS_AUTH_URL")
VENUE = "venue"
_SCHEMES = (("https", "http"), ("wss", "ws"), ("wss", "ws"))


def venue_of(scalars: Scalars, mode: Mode) -> VenueUrls | None:
    """None: the built-in exchange."""
    with scalars.part(VENUE, *_NAMES):
        return _said(scalars, mode)


def _said(scalars: Scalars, mode: Mode) -> VenueUrls | None:
    missing = [name for name in _NAMES if not scalars.has(name)]
    if len(missing) == len(_NAMES):
        return LIVE if mode is Mode.LIVE else None
    if missing:
        there = next(name for name in _NAMES if scalars.has(name))
        lacking = " and ".join(map(scalars.key, missing))
        scalars.problem(f"{scalars.head(there)}: give all three venue addresses or none; {lacking} not set")
        return None
    rest, ws, ws_auth = (scalars.url(name, schemes, mode) for name, schemes in zip(_NAMES, _SCHEMES, strict=True))
    return VenueUrls(rest, ws, ws_auth)
