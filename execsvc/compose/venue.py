"""Which venue and which key: the built-in paper exchange, or addresses and a key of the operator's own.

Files win over the environment. A paper key never reaches a live venue, and the built-in exchange reads no Kraken key.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from execsvc.compose.outcome import PaperFacts, StartRefused
from execsvc.compose.parts import Parts
from execsvc.paper.options import PaperOptions
from execsvc.paper.server import PaperServer
from execsvc.runtime.secrets import Secret, SecretFileError, read_secret
from execsvc.settings import KeySource, Mode, Settings, VenueUrls

PAPER_KEY_PREFIX = "PAPER"


@dataclass(frozen=True)
class VenueAccess:
    """Where the venue is and how to sign there; paper is set when it is the built-in one."""

    urls: VenueUrls
    key: Secret
    secret: Secret
    paper: PaperFacts | None


async def venue_access(settings: Settings, parts: Parts, stack: AsyncExitStack) -> VenueAccess:
    """Starts the built-in exchange where it is wanted, else reads the key. Raises StartRefused."""
    if settings.venue is None:
        return await _built_in(settings, parts, stack)
    source = settings.keys or KeySource(None, None)
    key = _read(source.key_file, "KRAKEN_API_KEY", parts.environ)
    secret = _read(source.secret_file, "KRAKEN_API_SECRET", parts.environ)
    if settings.mode is Mode.LIVE and key.reveal().startswith(PAPER_KEY_PREFIX):
        raise StartRefused("KRAKEN_API_KEY is a paper exchange's key: live mode needs a key made at Kraken")
    return VenueAccess(settings.venue, key, secret, None)


async def _built_in(settings: Settings, parts: Parts, stack: AsyncExitStack) -> VenueAccess:
    options = PaperOptions(seed=settings.seed, tier=settings.tier)
    server = PaperServer(options)
    await server.start()
    stack.push_async_callback(server.close)
    parts.tasks.supervise("paper exchange", server.failed)
    urls = VenueUrls(server.rest_url, server.ws_url, server.ws_auth_url)
    facts = PaperFacts(
        address=server.rest_url.removeprefix("http://"),
        seed=settings.seed,
        symbols=tuple(listing.pair.symbol for listing in server.exchange.venue.listings.values()),
        tier=settings.tier,
        funds=f"{int(options.funds['USD']):,} USD",
    )
    return VenueAccess(urls, Secret(server.api_key), Secret(server.api_secret), facts)


def _read(file: Path | None, name: str, environ: Mapping[str, str]) -> Secret:
    if file is None:
        return Secret(environ[name].strip())
    try:
        return read_secret(file)
    except (SecretFileError, OSError) as failure:
        raise StartRefused(f"{name}_FILE: {failure}") from None
