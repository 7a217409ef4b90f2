"""The paper exchange without sockets, clocks or threads: everything takes `now` (ns since the epoch).

`http` takes a request and returns a ticket, `open` a WebSocket line; `advance` lets time pass, moves the market and
carries out what is due. The owner, a server on loopback or a simulation in virtual time, looks at `due`, calls
`advance` then, answers tickets that are ready and sends what lines have to say. One seed and the same calls at the
same instants give the same exchange, byte for byte.
"""

from .desk import plan
from .figures import NS
from .line import Line, LineKind
from .listing import Listing
from .market import Market
from .mishap import Fault
from .options import PaperOptions
from .restface import Request
from .traffic import Ticket, Traffic
from .venue import open_venue
from .wsface import WsFace

_CATCH_UP_NS = 60 * NS


class PaperExchange:
    """One exchange: its accounts, all its markets, both faces. `venue` is it as the first account sees it."""

    def __init__(self, options: PaperOptions, now: int) -> None:
        self.venue = open_venue(options, now)
        self.ws = WsFace(self.venue)
        self.audience = self.ws.audience
        self.traffic = Traffic(self.venue)
        self.now = now
        self._goal = now
        self._moving: set[str] = set()
        self._turns = 0
        if not options.frozen:
            for place, pair_id in enumerate(self.venue.markets):
                self.set_going(pair_id, self.venue.start + place * NS // 50)

    @property
    def due(self) -> int | None:
        """Return when `advance` has something to do next."""
        return self.venue.timers.due

    def http(self, request: Request, now: int) -> Ticket:
        """Take a request in; its ticket says when it will be answered, and how."""
        self.advance(now)
        ticket = self.traffic.take(request, self.now)
        self.publish()
        return ticket

    def open(self, kind: LineKind, now: int) -> Line:
        """Take a WebSocket connection in."""
        self.advance(now)
        return self.ws.open(kind, self.now)

    def hear(self, line: Line, text: str, now: int) -> None:
        """Take one text frame of a line."""
        self.advance(now)
        self.ws.hear(line, text, self.now)
        self.publish()

    def close(self, line: Line) -> None:
        """Forget a line: the client hung up, or the owner delivered the exchange's close."""
        self.ws.close(line)

    def advance(self, now: int) -> None:
        """Carry out everything due up to `now`. A leap of more than a minute does not replay the whole market."""
        self._goal = max(now, self.now)
        while (planned := self.venue.timers.pop(self._goal)) is not None:
            due, act = planned
            self.now = max(self.now, due)
            act(due)
            self.publish()
        self.now = self._goal

    def publish(self) -> None:
        """Send what happened since the last time to whoever follows it."""
        accounts = self.venue.accounts.values()
        if any(venue.books.events for venue in accounts):
            self.audience.publish_executions(self.now)
        if any(venue.ledger.news for venue in accounts):
            self.audience.publish_balances(self.now)
        for listing in self.venue.listings.values():
            if listing.touched:
                self.audience.publish(listing, self.now)

    def fault(self, fault: Fault, now: int) -> None:
        """Arm a mishap; closing lines and changing the system status happen at once."""
        self.advance(now)
        match fault.kind:
            case "drop_ws":
                for line in list(self.audience.lines.values()):
                    if fault.line in ("", line.kind):
                        line.close(fault.code)
            case "status" | "maintenance":
                status = "maintenance" if fault.kind == "maintenance" else fault.status
                self._set_system(status)
                if fault.for_ms is not None:
                    turn = self._turns
                    self.venue.timers.at(self._end_of(fault), lambda _: self._end_status(turn))
            case "clock_skew":
                self.venue.faults.add(fault, self.now)
                self._set_clock(self.now)
                if fault.for_ms is not None:
                    self.venue.timers.at(self._end_of(fault), self._set_clock)
            case _:
                self.venue.faults.add(fault, self.now)

    def clear_faults(self, now: int) -> None:
        """Disarm all mishaps, set the exchange's clock right and bring the system back online."""
        self.advance(now)
        self.venue.faults.clear()
        self._set_clock(self.now)
        self.set_system("online", now)
        for listing in self.venue.listings.values():
            self.audience.publish(listing, self.now)

    def set_system(self, status: str, now: int) -> None:
        """Change the system status and tell every line."""
        self.advance(now)
        self._set_system(status)

    def set_market_status(self, listing: Listing, status: str, now: int) -> None:
        """Change one market's status and tell the followers of the instrument channel."""
        self.advance(now)
        if status != listing.status:
            listing.status = status
            self.audience.publish_instrument(listing, self.now)

    def set_going(self, pair_id: str, due: int) -> None:
        """Let a market that was still from the beginning move by itself; nothing changes for one that does."""
        if pair_id not in self._moving:
            self._moving.add(pair_id)
            self._plan(self.venue.markets[pair_id], due)

    def _end_of(self, fault: Fault) -> int:
        return self.now + (fault.for_ms or 0) * NS // 1000

    def _set_system(self, status: str) -> None:
        self._turns += 1
        if status != self.venue.engine.system:
            self.venue.engine.system = status
            self.audience.publish_status(self.now)

    def _end_status(self, turn: int) -> None:
        """Bring the system back online, unless its status was set anew since that turn."""
        if turn == self._turns:
            self._set_system("online")

    def _set_clock(self, now: int) -> None:
        """Put the exchange's clock where the faults want it; orders expire by what it says from now on."""
        skew = self.venue.faults.skew(now)
        if skew != self.venue.dial.skew:
            self.venue.dial.skew = skew
            for venue in self.venue.accounts.values():
                for order in venue.orders.open_ones():
                    plan(venue, order, now)

    def _plan(self, market: Market, due: int) -> None:
        self.venue.timers.at(due, lambda at: self._step(market, at))

    def _step(self, market: Market, due: int) -> None:
        dial = self.venue.dial
        later = market.step(dial.reads(due))
        self._plan(market, max(dial.owners(later), self._goal - _CATCH_UP_NS))
