"""Keeps an eye on an account's API key: at the start, every hour, every minute while it is bad, and after refused nonces.

A key that must not be used closes the desk until it is mended; what could be better is told when it is new, and an expiry
that comes near once a day. What makes a key bad is domain/keycheck.py's business, bringing the account up opening.py's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from execsvc.app.house import House
from execsvc.domain import keycheck
from execsvc.domain.errors import Busy, Declined, Fault, ProtocolBroken, Reason
from execsvc.ports import Clock, KeyCheck, Tasks

CHECK_EVERY_S = 3600.0
CHECK_BAD_EVERY_S = 60.0  # a key found bad while running: a person mends it, or a proxy's doubled answers misled us
CHECK_TIMEOUT_S = 10.0
CHECK_AGAIN_S = 1.0
BEING_CHECKED = Fault(
    Reason.VENUE_UNREACHABLE,
    "Kraken refused two nonces within a minute: the key is being looked at; nothing was sent, try again",
    retry_after_s=1.0,
)
KEY, SHARED, NONCES = "key", "shared key", "nonces"


@dataclass(frozen=True)
class KeyTerms:
    """What the operator said of the key. allow_shared: trade although another program uses it too.

    real_money: the key is worth stealing, so advice on how it is kept is given too.
    """

    allow_shared: bool = False
    clear_halt: str = ""
    real_money: bool = False


@dataclass(frozen=True)
class KeyStanding:
    """What was last heard of the key. problems: in words, those that do not close the desk; the others the switch tells."""

    valid_until_ns: int | None = None
    problems: tuple[str, ...] = ()


class KeyWatch:
    """Judges every answer to GetApiKeyInfo. `warn` hears of what a person should know, in words."""

    def __init__(
        self, house: House, *, clock: Clock, tasks: Tasks, terms: KeyTerms, warn: Callable[[str], None]
    ) -> None:
        self._house = house
        self._clock = clock
        self._tasks = tasks
        self._terms = terms
        self._warn = warn
        self._looking = False
        self._bad = False
        self._told: frozenset[str] = frozenset()
        self.standing = KeyStanding()

    async def check(self, timeout_s: float) -> KeyCheck:
        """The look of a start. Raises Busy or ProtocolBroken without an answer, Declined for a key not to be used."""
        check = await self._house.venue.check_key(self._clock.monotonic() + timeout_s)
        self._judge(check)
        return check

    def nonces_refused(self) -> None:
        """No new orders until the key was looked at."""
        self._house.switch.close(NONCES, BEING_CHECKED)
        if not self._looking:
            self._looking = True
            self._tasks.start("key check after refused nonces", self._look_until_answered())

    async def look_now_and_then(self) -> None:
        """For ever."""
        waited_s = 0.0
        while True:
            await self._clock.sleep(CHECK_BAD_EVERY_S)
            waited_s += CHECK_BAD_EVERY_S
            if self._bad or waited_s >= CHECK_EVERY_S:
                waited_s = 0.0
                await self._look()

    async def _look_until_answered(self) -> None:
        try:
            while not await self._look():
                await self._clock.sleep(CHECK_AGAIN_S)
        finally:
            self._looking = False
        self._house.switch.open(NONCES)

    async def _look(self) -> bool:
        """False when the exchange did not answer. A key that must not be used closes the desk, and says so."""
        try:
            await self.check(CHECK_TIMEOUT_S)
        except (Busy, ProtocolBroken):
            return False
        except Declined as refused:
            what = refused.fault.message
            self._warn(what)
            self._bad = True
            self._house.switch.close(KEY, halted(self._house.account, what))
        else:
            self._bad = False
            self._house.switch.open(KEY)
        return True

    def _judge(self, check: KeyCheck) -> None:
        found = keycheck.problems(check.facts, self._clock.wall_ns(), real_money=self._terms.real_money)
        advice = tuple(problem.what for problem in found if not problem.fatal)
        for what in advice:
            if what not in self._told:
                self._warn(f"the API key {self._house.venue.key_label}: {what}")
        self._told = frozenset(advice)
        self.standing = KeyStanding(check.facts.valid_until_ns, tuple(f"the API key: {what}" for what in advice))
        fatal = [problem.what for problem in found if problem.fatal]
        if fatal:
            raise Declined(
                Fault(Reason.VENUE_CREDENTIALS_REJECTED, f"the API key must not be used: {'; '.join(fatal)}")
            )
        if check.foreign_nonce is not None:
            self._shared(check.foreign_nonce)

    def _shared(self, nonce: int) -> None:
        what = (
            f"Kraken has seen the nonce {nonce} of this key, which was never used here: another program uses the key, "
            "or the store is an older copy"
        )
        self._warn(what)
        if not self._terms.allow_shared:
            advice = "give execsvc a key of its own, or trade all the same with EXECSVC_ALLOW_SHARED_KEY=on"
            self._house.switch.close(SHARED, halted(self._house.account, f"{what} ({advice})"))


def halted(account: str, what: str) -> Fault:
    """The answer to an order while a person has to mend something; cancels pass."""
    return Fault(
        Reason.TRADING_HALTED,
        f"trading is halted, cancels pass; nothing was sent: {what}",
        {"mode": "CANCEL_ONLY", "scope": account, "comment": what},
    )
