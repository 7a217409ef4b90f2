"""What a reader of orders says it was told, held against the exchange's own books. Plain values in, sentences out.

A notebook (history_reader.py) is read line by line; what is told twice must be the same twice. Nothing of the gateway is used
here: an order's end is the exchange's /orders, a fill's is what /ledger has under its id.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

AT_THE_EXCHANGE = {
    "open": "ORDER_STATUS_OPEN",
    "closed": "ORDER_STATUS_FILLED",
    "canceled": "ORDER_STATUS_CANCELLED",
    "expired": "ORDER_STATUS_EXPIRED",
}
NEVER_THERE = frozenset({"ORDER_STATUS_REJECTED", "ORDER_STATUS_NOT_PLACED", "ORDER_STATUS_NEVER_SENT"})
ASSETS = {"BTC/USD": ("XXBT", "ZUSD")}  # the ledger's names of what a pair is made of
_ZERO = Decimal(0)


@dataclass
class Held:
    """One order as the reader holds it: its versions from the first it was told of, and what was filled before that."""

    versions: list[dict]
    filled_before: Decimal
    fills: list[str] = field(default_factory=list)
    owed: Decimal | None = None  # filled so far by what was told of fills, and no order yet that includes them

    @property
    def last(self):
        return self.versions[-1]


class Account:
    """A reader's books: `orders` by client_order_id, `fills` by fill_id, `flaws` in words.

    `repeats` were told again; `ahead` counts versions that held fills which were told after them.
    """

    def __init__(self, rows):
        self.orders, self.fills = {}, {}
        self.repeats = self.ahead = 0
        self.flaws = []
        self._pictured = False
        for row in rows:
            getattr(self, f"_{row['event']}")(row)

    def _life(self, row):
        if row["resumed"] is not self._pictured:
            self.flaws.append(f"a life began {'with' if row['resumed'] else 'without'} a token at the wrong time")

    def _snapshot(self, row):
        if self._pictured:
            self.flaws.append("a picture came once more, though every life but the first had a token")
        for order in row["orders"]:
            self.orders[order["client_order_id"]] = Held([order], Decimal(order["filled_quantity"]))
        self._pictured = row["complete"]

    def _order(self, row):
        order = row["order"]
        name, version = order["client_order_id"], int(order["version"])
        if not self._pictured:
            self.flaws.append(f"{name}: an event before the picture was complete")
        held = self.orders.get(name)
        if held is None:
            if version != 1:
                self.flaws.append(f"{name}: the first word of it is version {version}")
            self.orders[name] = Held([order], _ZERO)
            return
        first, last = int(held.versions[0]["version"]), int(held.last["version"])
        if version > last:
            if version != last + 1:
                self.flaws.append(f"{name}: version {version} after {last}")
            held.versions.append(order)
            self._covered(held, order)
        elif order not in held.versions[max(0, version - first) :][:1]:
            self.flaws.append(f"{name}: version {version} is not what it was when it was first told")
        else:
            self.repeats += 1

    def _covered(self, held, order):
        """An order that includes a fill follows it; one may also come before, from a look at the exchange."""
        filled = Decimal(order["filled_quantity"])
        if held.owed is not None and filled >= held.owed:
            held.owed = None
        self.ahead += filled > self._told(held)

    def _told(self, held):
        return held.filled_before + sum((Decimal(self.fills[each]["quantity"]) for each in held.fills), _ZERO)

    def _fill(self, row):
        fill = row["fill"]
        key, name = fill["fill_id"], fill["client_order_id"]
        if name not in self.orders:
            self.flaws.append(f"{name}: fill {key} before any word of the order")
        elif key not in self.fills:
            self.fills[key] = fill
            held = self.orders[name]
            held.fills.append(key)
            held.owed = self._told(held)
        elif self.fills[key] != fill:
            self.flaws.append(f"{name}: fill {key} is not what it was when it was first told")
        else:
            self.repeats += 1


def findings(rows, orders, entries, *, before=frozenset(), by_hand=frozenset()):
    """Every way in which the notebook differs from /orders and the entries of /ledger.

    `before`: ids of trades that were over when the reader took its picture, and are in it. `by_hand`: ids of orders that were
    not placed through the gateway; one that came and went without a fill while nobody followed the exchange leaves no trace.
    """
    account = Account(rows)
    held = {each.last.get("order_id", ""): name for name, each in account.orders.items()}
    found = list(account.flaws)
    for order in orders:
        name = held.pop(order["order_id"], None)
        if name is None and order["order_id"] in by_hand and order["status"] == "canceled" and not order["trades"]:
            continue
        if name is None:
            found.append(f"{order['order_id']} is at the exchange and was never told")
        else:
            found += [f"{name}: {flaw}" for flaw in _differs(account, name, order, before)]
            found += _misnamed(name, account.orders[name].last, by_hand)
    found += [f"{name}: the exchange has no {order_id}" for order_id, name in held.items() if order_id]
    for name, each in account.orders.items():
        if each.owed is not None:
            found.append(f"{name}: no order followed that includes its fills up to {each.owed}")
        if not each.last.get("order_id") and each.last["status"] not in NEVER_THERE:
            found.append(f"{name}: {each.last['status']}, and nothing at the exchange")
    return found + _against_ledger(account.fills, entries, before)


def _differs(account, name, order, before):
    held = account.orders[name]
    spec = held.last["spec"]
    told = {
        "status": held.last["status"],
        "quantity": Decimal(spec["base_quantity"]),
        "price": Decimal(spec["limit"]["limit_price"]),
        "filled": Decimal(held.last["filled_quantity"]),
        "cost": Decimal(held.last["filled_cost"]),
        "fees": _fees(held.last),
        "fills": sorted(held.fills),
        "cl_ord_id": held.last.get("venue_client_id", ""),
    }
    there = {
        "status": AT_THE_EXCHANGE[order["status"]],
        "quantity": Decimal(order["volume"]),
        "price": Decimal(order["price"]),
        "filled": Decimal(order["vol_exec"]),
        "cost": Decimal(order["cost"]),
        "fees": {"USD": Decimal(order["fee"])} if Decimal(order["fee"]) else {},
        "fills": sorted(set(order["trades"]) - before),
        "cl_ord_id": order["cl_ord_id"] or "",
    }
    return [f"{what} told {told[what]}, there {there[what]}" for what in told if told[what] != there[what]]


def _misnamed(name, order, by_hand):
    """An order placed by hand has no caller and is called after Kraken's id; every other has one and is not."""
    told = (not order.get("caller"), name == f"ext-{order['order_id']}")
    outside = order["order_id"] in by_hand
    return [] if told == (outside, outside) else [f"{name} is told as of caller {order.get('caller')!r}"]


def _fees(message):
    return {fee["asset"]: Decimal(fee["amount"]) for fee in message.get("fees", ()) if Decimal(fee["amount"])}


def _against_ledger(fills, entries, before):
    """A fill moves its quantity and its cost, and costs its fee, under its own id."""
    trades = defaultdict(dict)
    for entry in entries:
        if entry["type"] == "trade" and entry["refid"] not in before:
            trades[entry["refid"]][entry["asset"]] = (Decimal(entry["amount"]), Decimal(entry["fee"]))
    found = []
    for key in sorted(trades.keys() | fills.keys()):
        told = _legs(fills[key]) if key in fills else {}
        if told != trades.get(key, {}):
            found.append(f"fill {key}: told {told}, the ledger has {dict(trades.get(key, {}))}")
    return found


def _legs(fill):
    """What the ledger should say of a fill."""
    base, quote = ASSETS[fill["symbol"]]
    sign = 1 if fill["side"] == "SIDE_BUY" else -1
    fee = sum(_fees(fill).values(), _ZERO)
    return {base: (sign * Decimal(fill["quantity"]), _ZERO), quote: (-sign * Decimal(fill["cost"]), fee)}
