"""What execsvc itself stands on before real money: the store, the listeners, the callers. Pure.

These are lines 9 to 11 of the live check; the others are livecheck.py's.
"""

from collections.abc import Iterator

from execsvc.app.findings import Finding, Verdict, fail, ok, warn
from execsvc.app.livefacts import CallerFacts, Door, Facts
from execsvc.domain import keycheck

FREE_LEAST_BYTES = 1 << 30
BACKUP_MOST_S = 7 * 86_400.0  # of age
# File systems whose content is gone with the power, and with it which ids were used.
VOLATILE = frozenset({"tmpfs", "ramfs", "devtmpfs", "rootfs"})
ADMIN = "admin"  # whose token the first start writes into admin.token
_OF_THE_VERBS = (
    "the verbs on this machine come with it: bake one for yourself with --out FILE, say EXECSVC_TOKEN_FILE=FILE, and see "
    "that `execsvc status` answers; only then revoke this one and remove admin.token"
)
_PRIVATE = 0o077  # what a socket's folder must not allow others


# ---- store ------------------------------------------------------------------------------------------------------


def store(facts: Facts) -> Iterator[Finding]:
    """Writable, durable, on a disk, with room and a backup."""
    kept = facts.store
    if kept is None:
        return
    if kept.in_use:
        yield fail(kept.refused, "execsvc is running: stop it, or read `execsvc status`", kept.path)
        return
    if kept.refused:
        yield fail(kept.refused, "name another with EXECSVC_STORE, or mend this one", kept.path)
        return
    if kept.disk in VOLATILE:
        yield fail(f"it lies on {kept.disk}, which a restart of the machine empties", "put it on a disk", kept.path)
    if kept.free_bytes is not None and kept.free_bytes < FREE_LEAST_BYTES:
        yield warn(f"{kept.free_bytes / 2**20:.0f} MiB are free beside it", "make room, or move it", kept.path)
    if kept.entries and kept.backup_age_s is None:
        yield warn("no backup lies beside it", "copy it while execsvc is stopped, as NAME.backup-DATE", kept.path)
    elif kept.backup_age_s is not None and kept.backup_age_s > BACKUP_MOST_S:
        yield warn(f"its newest backup is {kept.backup_age_s / 86_400:.0f} days old", "make a new one", kept.path)
    yield ok(f"written and synced in full, {kept.entries} entries", kept.path)


# ---- listeners --------------------------------------------------------------------------------------------------


def doors(facts: Facts) -> Iterator[Finding]:
    """TLS and tokens wherever not only this machine can knock; a socket in a folder of our own."""
    asks = facts.callers is not None and bool(facts.callers.tokens_at)
    for door in facts.doors:
        yield _door(door, asks=asks)
        left = None if door.tls_until_ns is None else keycheck.days_left(door.tls_until_ns, facts.now_ns)
        if left is not None and left <= keycheck.SOON_DAYS:
            yield warn(
                f"its certificate ends in {left:.1f} days",
                "renew it: no restart is needed",
                f"{door.name} {door.address}",
            )


def _door(door: Door, *, asks: bool) -> Finding:
    about = f"{door.name} {door.address}"
    if not door.local and not (door.tls and asks):
        lacking = " and ".join(
            [*(() if door.tls else ("TLS",)), *(() if asks else ("caller tokens",))],
        )
        return fail(f"it is open to other machines without {lacking}", "bind 127.0.0.1, or give it both", about)
    if door.folder_mode is not None and door.folder_mode & _PRIVATE:
        remedy = "chmod 700 the folder, or put the socket into one that is"
        return warn(f"others may enter the folder of its socket (mode {door.folder_mode:04o})", remedy, about)
    if door.local:
        return ok("this machine only" + (", with tokens" if asks else ", without tokens"), about)
    return ok("TLS and tokens", about)


# ---- callers, switches, telemetry -------------------------------------------------------------------------------


def callers(facts: Facts) -> Iterator[Finding]:
    """Tokens that end and are bounded, a kill switch that was tried, a dead man's switch by choice, figures to look at."""
    known = facts.callers
    if known is None:
        return
    yield from _tokens(known, facts.now_ns)
    if facts.store is not None and not facts.store.refused:
        if facts.store.switch_tried_ns is None:
            yield warn("the kill switch was never tried on this store", "try execsvc halt and execsvc resume in time")
        else:
            yield ok("the kill switch was tried")
    for account in facts.accounts:
        if account.dead_man_s:
            yield ok(f"dead man's switch after {account.dead_man_s} s", account.account)
        elif account.dead_man_said:
            yield ok("no dead man's switch, by choice: orders outlive execsvc", account.account)
        else:
            remedy = "EXECSVC_DEAD_MANS_SWITCH=60, or =0 to say that orders are to outlive execsvc"
            yield warn("no dead man's switch was chosen", remedy, account.account)
    yield from _telemetry(known)


def _tokens(known: CallerFacts, now_ns: int) -> Iterator[Finding]:
    if known.problem:
        yield fail(known.problem, "docs/guides/tokens.md", known.tokens_at)
        return
    if not known.tokens_at:
        yield fail("tokens are off: whoever reaches the port can trade", "leave EXECSVC_TOKENS at its default")
        return
    good = 0
    for token in known.tokens:
        lacking = [
            *(["no expiry"] if token.expires_ns is None else []),
            *(["expired"] if token.expires_ns is not None and token.expires_ns <= now_ns else []),
            *(["no pairs named"] if token.trades and not token.bounded else []),
            *(["no limit of its own"] if token.trades and not token.limited else []),
        ]
        good += not lacking
        if lacking:
            remedy = (
                _OF_THE_VERBS
                if token.caller == ADMIN
                else "bake one that is narrower, then revoke it: execsvc token bake --help"
            )
            yield warn(f"token {token.token_id} of {token.caller}: {', '.join(lacking)}", remedy)
    if good or not known.tokens:
        said = (
            f"{good} token{'' if good == 1 else 's'} with expiry and bounds"
            if known.tokens
            else "the first start writes admin.token, viewer.token"
        )
        yield ok(said, known.tokens_at)


def _telemetry(known: CallerFacts) -> Iterator[Finding]:
    if known.exporter_problem:
        yield warn(known.exporter_problem, "start the collector, or unset OTEL_EXPORTER_OTLP_ENDPOINT", known.exporter)
    elif known.exporter:
        yield ok("traces go there", known.exporter)
    if known.metrics_at:
        yield Finding(
            Verdict.OK, "metrics can be read: load alert rules for them", about=f"http://{known.metrics_at}/metrics"
        )
    elif not known.exporter:
        yield warn("nobody can see how it is: no /metrics, no exporter", "leave EXECSVC_HTTP_LISTEN at its default")
