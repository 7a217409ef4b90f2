"""Pairs that the settings name and the exchange does not list: a limit on one of them holds nobody to anything.

It is told once, when the first tables are there, and refuses nothing: a pair that was delisted overnight must not keep the
gateway from starting. How a pair is written is the settings' affair.
"""

import structlog

from execsvc.app.catalog import Catalog
from execsvc.domain.errors import ExecsvcError
from execsvc.settings import Settings


def tell_strange_pairs(settings: Settings, catalog: Catalog) -> None:
    """Into the log, one line each; nothing while the tables are not there."""
    if not catalog.ready:
        return
    for symbol in strange_pairs(settings, catalog):
        structlog.get_logger().warning(
            "settings.pair_unknown",
            symbol=symbol,
            why="a limit or a grant names it, and the exchange lists no such pair",
        )


def strange_pairs(settings: Settings, catalog: Catalog) -> tuple[str, ...]:
    """In the order of their names."""
    of_rules = {rule.symbol for rule in settings.risk.rules if rule.symbol}
    of_callers = {symbol for caller in settings.callers for grant in caller.grants.values() for symbol in grant.symbols}
    return tuple(symbol for symbol in sorted(of_rules | of_callers) if not _is_listed(symbol, catalog))


def _is_listed(symbol: str, catalog: Catalog) -> bool:
    try:
        return catalog.instrument(symbol).symbol == symbol
    except ExecsvcError:
        return False
