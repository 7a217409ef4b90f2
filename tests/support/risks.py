"""Limits for a rig: everything that has a default is lifted, so that a test sets what it is about and nothing else."""

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from decimal import Decimal

from execsvc.app.risk import RiskDesk
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.market import EventTimes, Ticker
from execsvc.domain.riskrules import LIFTED, RiskRules
from execsvc.telemetry import silent
from tests.support.simloop import SimTasks


class NoPrices:
    """Feeds that never show a price."""

    def live_ticker(self, symbol):
        return None

    def tickers(self, symbols, delivery):
        return nullcontext()


class SetPrices:
    """Feeds that show what a test sets; who is followed, in the order they came. `full`: nobody more is."""

    def __init__(self, **prices):
        self.shown = {}
        self.followed = []
        self.full = False
        for name, (bid, ask) in prices.items():
            self.set(name.replace("_", "/"), bid, ask)

    def set(self, symbol, bid, ask, *, volume="1000000"):
        figures = [None if each is None else Decimal(each) for each in (bid, ask)]
        one = Decimal(1)
        self.shown[symbol] = Ticker(
            symbol, figures[0], one, figures[1], one, one, Decimal(volume), *[one] * 3, None, EventTimes(None, 7)
        )

    def live_ticker(self, symbol):
        return self.shown.get(symbol)

    @contextmanager
    def tickers(self, symbols, delivery):
        if self.full:
            raise refuse(Reason.TOO_MANY_STREAMS, "no more")
        self.followed += symbols
        yield
        for each in symbols:
            self.followed.remove(each)


def lifted(**limits):
    """One rule for all orders: no default is in force, and these limits are."""
    return RiskRules((replace(LIFTED, **limits),))


def risk_desk(store, catalog, feeds, clock, *, rules=None, telemetry=None, tasks=None, account="main", observed=None):
    """A risk desk by those rules; `observed` collects what the log would be told."""
    heard = [] if observed is None else observed
    return RiskDesk(
        account=account,
        rules=rules or lifted(),
        store=store,
        catalog=catalog,
        feeds=feeds or NoPrices(),
        clock=clock,
        tasks=tasks or SimTasks(),
        telemetry=telemetry or silent(),
        observe=lambda event, facts: heard.append((event, dict(facts))),
    )
