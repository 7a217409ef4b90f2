"""Which venue and which keys: the built-in paper exchange, or addresses and keys of the operator's own.

Which source of a key wins is runtime/keysource.py's. A paper key never reaches a live venue, and the built-in exchange reads
no Kraken key; the environment is emptied of keys in either case.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from execsvc.compose.outcome import PaperFacts, StartRefused
from execsvc.compose.parts import Parts
from execsvc.kraken.signing import BadSecretError, Signer
from execsvc.paper.auth import FIRST
from execsvc.paper.options import PaperAccount, PaperOptions
from execsvc.paper.server import PaperServer
from execsvc.runtime.keysource import Found, KeyMissing, Part, find, take_from
from execsvc.runtime.secrets import Secret
from execsvc.settings import AccountSettings, KeySource, Mode, Settings, VenueUrls

PAPER_KEY_PREFIX = "PAPER"


@dataclass(frozen=True)
class AccountKey:
    """How one account signs."""

    key: Secret
    secret: Secret


@dataclass(frozen=True)
class VenueAccess:
    """Where the venue is and how each account signs there; paper is set when it is the built-in one."""

    urls: VenueUrls
    keys: Mapping[str, AccountKey]
    paper: PaperFacts | None


async def venue_access(settings: Settings, parts: Parts, stack: AsyncExitStack) -> VenueAccess:
    """Starts the built-in exchange where it is wanted, else reads the keys. Raises StartRefused."""
    taken = take_from(parts.environ)
    if settings.venue is None:
        return await _built_in(settings, parts, stack)
    keys = {account.name: _key_of(account, settings, parts.environ, taken) for account in settings.accounts}
    _each_its_own(keys)
    return VenueAccess(settings.venue, keys, None)


def _key_of(
    account: AccountSettings, settings: Settings, environ: Mapping[str, str], taken: Mapping[Part, Secret]
) -> AccountKey:
    source = account.keys or KeySource(None, None)
    files = {Part.KEY: source.key_file, Part.SECRET: source.secret_file}
    alone = len(settings.accounts) == 1

    def half(part: Part) -> Found:
        return find(part, account=account.name, alone=alone, file=files[part], environ=environ, taken=taken)

    try:
        key, secret = half(Part.KEY), half(Part.SECRET)
        Signer(key.secret.reveal(), secret.secret)
    except (KeyMissing, BadSecretError) as failure:
        raise StartRefused(f"account {account.name}: {failure}") from None
    if settings.mode is Mode.LIVE and key.secret.reveal().startswith(PAPER_KEY_PREFIX):
        raise StartRefused(
            f"account {account.name}: KRAKEN_API_KEY is a paper exchange's key: live mode needs a key made at Kraken"
        )
    _tell(account.name, key, secret)
    return AccountKey(key.secret, secret.secret)


def _tell(account: str, *halves: Found) -> None:
    """Once, at the start: where the key is from, and what to do when that place is the least safe one."""
    log = structlog.get_logger()
    log.info("key.read", account=account, where=sorted({half.source for half in halves}))
    if any(half.exposed for half in halves):
        log.warning(
            "key.exposed",
            account=account,
            why="read from the environment, which /proc/<pid>/environ goes on showing: use a systemd credential or a file",
        )


def _each_its_own(keys: Mapping[str, AccountKey]) -> None:
    """Two accounts with one key are one account with two names: each would undo the other's count."""
    seen: dict[str, str] = {}
    for account, held in keys.items():
        other = seen.setdefault(held.key.reveal(), account)
        if other != account:
            raise StartRefused(f"accounts {other} and {account} have the same API key: give each the key of its own")


async def _built_in(settings: Settings, parts: Parts, stack: AsyncExitStack) -> VenueAccess:
    """One exchange with an account for each of ours: they trade in one market, each with its own key and money."""
    first, *others = settings.accounts
    there = {first.name: FIRST} | {account.name: f"{FIRST}-{account.name}" for account in others}
    more = tuple(PaperAccount(there[account.name], account.tier) for account in others)
    server = PaperServer(PaperOptions(seed=settings.seed, tier=first.tier, others=more))
    await server.start()
    stack.push_async_callback(server.close)
    parts.tasks.supervise("paper exchange", server.failed)
    urls = VenueUrls(server.rest_url, server.ws_url, server.ws_auth_url)
    facts = PaperFacts(
        address=server.rest_url.removeprefix("http://"),
        seed=settings.seed,
        symbols=tuple(listing.pair.symbol for listing in server.exchange.venue.listings.values()),
        tier=first.tier,
        funds=f"{int(PaperOptions().funds['USD']):,} USD",
    )
    keys = {name: AccountKey(*map(Secret, server.key_of(account))) for name, account in there.items()}
    return VenueAccess(urls, keys, facts)
