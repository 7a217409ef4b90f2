"""What Kraken's counters leave room for, and the limits of this house: for GetLimits.

Counters are read as they stand here; nothing is asked of Kraken, and asking costs nothing. Spellings of pairs become symbols
on the way. How a counter is worked out is the adapter's, what an order may be worth is app/risk.py's.
"""

from dataclasses import dataclass, replace

from execsvc.app.catalog import Catalog
from execsvc.app.risk import CallerLimit, RiskDesk
from execsvc.domain.caller import Caller
from execsvc.domain.errors import ExecsvcError, error_of
from execsvc.ports import CapacityAnswer, CapacityQuestion, Clock, CounterState, Rates


@dataclass(frozen=True)
class LimitsReport:
    """Everything as of one moment on the wall clock. Answers stand beside their questions, pairs in canonical form."""

    as_of_ns: int
    tier: str
    counters: tuple[CounterState, ...]
    answers: tuple[tuple[CapacityQuestion, CapacityAnswer], ...]
    caller_limits: tuple[CallerLimit, ...]


class AccountLimits:
    """The counters of one account and its key, and its limits."""

    def __init__(self, rates: Rates, catalog: Catalog, risk: RiskDesk, clock: Clock) -> None:
        self._rates = rates
        self._catalog = catalog
        self._risk = risk
        self._clock = clock

    def __repr__(self) -> str:
        return f"<AccountLimits tier {self._rates.tier}>"

    def tell(self, spellings: tuple[str, ...], questions: tuple[CapacityQuestion, ...], who: Caller) -> LimitsReport:
        """Counters of these pairs (of every pair used so far when none is named), the answers in their order, who's limits.

        Raises UNKNOWN_SYMBOL naming every pair that is none, VENUE_UNREACHABLE while the pairs are not known.
        """
        named = self._catalog.all_of(spellings) if spellings else ()
        asked = self._resolved(questions)
        return LimitsReport(
            as_of_ns=self._clock.wall_ns(),
            tier=self._rates.tier,
            counters=self._rates.counters(tuple(each.symbol for each in named)),
            answers=tuple((each, self._rates.capacity(each)) for each in asked),
            caller_limits=self._risk.usage(who),
        )

    def _resolved(self, questions: tuple[CapacityQuestion, ...]) -> tuple[CapacityQuestion, ...]:
        places = [place for place, each in enumerate(questions) if each.symbol]
        if not places:
            return questions
        try:
            self._catalog.all_of([questions[place].symbol for place in places])
        except ExecsvcError as refusal:
            paths = {f"symbols[{index}]": f"queries[{place}].symbol" for index, place in enumerate(places)}
            fields = tuple(replace(bad, path=paths[bad.path]) for bad in refusal.fault.fields)
            raise error_of(replace(refusal.fault, fields=fields)) from None
        return tuple(
            replace(each, symbol=self._catalog.instrument(each.symbol).symbol) if each.symbol else each
            for each in questions
        )
