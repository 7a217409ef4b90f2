"""Accounts that were here at an earlier start and are not configured any more, though the journal has orders of theirs.

Whoever renames or removes an account leaves its open orders at the exchange, and its doubts unresolved: nobody here looks
after them. That is told loudly at every start until there are none, or until the account is configured again.
"""

from collections.abc import Iterable

import structlog

from execsvc.domain.order import LIVE, UNRESOLVED
from execsvc.ports import Store

FACT = "accounts"
HOUSE = ""  # the facts of no account
ALWAYS_HERE = "main"  # the one account that builds without this fact knew


async def tell_former_accounts(names: Iterable[str], store: Store) -> tuple[str, ...]:
    """Into the log, one line each; gives their names. Remembers who is here now, and who left something behind."""
    here = {*names}
    before = (await store.recall(HOUSE, FACT) or ALWAYS_HERE).split(",")
    left = []
    for account in sorted({*before} - here):
        orders = await store.in_status(account, LIVE | UNRESOLVED)
        if orders:
            left.append(account)
            structlog.get_logger().error(
                "account.left_behind",
                account=account,
                count=len(orders),
                why="its orders may be open at the exchange and nobody looks after them: configure it again, or cancel them",
            )
    await store.remember(HOUSE, FACT, ",".join(sorted({*here, *left})))
    return tuple(left)
