"""An account's money into the contract's messages: balances, fills, margin, positions, the ledger, fee rates.

There is no way back: nobody sends them to us. What Kraken did not tell is an empty text or an absent field, never zero.
Amounts of assets are here too, since orders carry them.
"""

from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import order_pb2 as order

from execsvc.domain.account import AssetAmount, Balance, FeeRate, Fill, LedgerEntry, Margin, Position
from execsvc.domain.ids import EXTERNAL_PREFIX
from execsvc.domain.market import EventTimes
from execsvc.rpc.scalars import SIDES, decimal, decimal_or_empty, event_times, timestamp, timestamp_or_none


def balance(value: Balance) -> account.Balance:
    """One balance; the venue tells no time of it."""
    return account.Balance(
        asset=value.asset,
        total=decimal(value.total),
        held=decimal(value.held),
        available=decimal(value.available),
        credit=decimal(value.credit),
        credit_used=decimal(value.credit_used),
        times=event_times(EventTimes(None, value.receive_ns)),
    )


def fill(value: Fill) -> order.Fill:
    """One execution; of an order placed outside execsvc the client order id is made from Kraken's."""
    return order.Fill(
        fill_id=value.fill_id,
        account=value.account,
        caller=value.caller,
        order_id=value.venue_order_id,
        client_order_id=value.client_order_id or f"{EXTERNAL_PREFIX}{value.venue_order_id}",
        symbol=value.symbol,
        side=SIDES[value.side],
        price=decimal(value.price),
        quantity=decimal(value.quantity),
        cost=decimal(value.cost),
        fees=amounts(value.fees),
        maker=value.maker,
        position_id=value.position_id,
        times=event_times(value.times),
    )


def amounts(values: tuple[AssetAmount, ...]) -> list[order.AssetAmount]:
    """Amounts of assets, in their order."""
    return [order.AssetAmount(asset=each.asset, amount=decimal(each.amount)) for each in values]


def ledger_entry(value: LedgerEntry) -> account.LedgerEntry:
    """One change of one balance."""
    return account.LedgerEntry(
        entry_id=value.entry_id,
        ref_id=value.ref_id,
        kind=value.kind,
        subkind=value.subkind,
        asset=value.asset,
        amount=decimal(value.amount),
        fee=decimal(value.fee),
        balance=decimal_or_empty(value.balance),
        time=timestamp(value.time_ns),
    )


def margin(name: str, value: Margin) -> account.GetMarginSummaryResponse:
    """The margin of the account of that name; its level is absent without positions."""
    return account.GetMarginSummaryResponse(
        account=name,
        asset=value.asset,
        equivalent_balance=decimal_or_empty(value.equivalent_balance),
        trade_balance=decimal_or_empty(value.trade_balance),
        margin_used=decimal_or_empty(value.margin_used),
        unrealized_pnl=decimal_or_empty(value.unrealized_pnl),
        cost_basis=decimal_or_empty(value.cost_basis),
        valuation=decimal_or_empty(value.valuation),
        equity=decimal_or_empty(value.equity),
        free_margin=decimal_or_empty(value.free_margin),
        unexecuted_value=decimal_or_empty(value.unexecuted_value),
        margin_level=None if value.level is None else decimal(value.level),
    )


def position(value: Position) -> account.Position:
    """One open margin position."""
    return account.Position(
        position_id=value.position_id,
        order_id=value.order_id,
        symbol=value.symbol,
        side=SIDES[value.side],
        quantity=decimal(value.quantity),
        closed_quantity=decimal(value.closed_quantity),
        cost=decimal(value.cost),
        fee=decimal(value.fee),
        margin=decimal(value.margin),
        value=decimal_or_empty(value.value),
        unrealized_pnl=decimal_or_empty(value.unrealized_pnl),
        terms=value.terms,
        open_time=timestamp(value.open_ns),
        rollover_time=timestamp_or_none(value.rollover_ns),
    )


def fee_rate(value: FeeRate) -> account.FeeRate:
    """The rates of one pair."""
    return account.FeeRate(
        symbol=value.symbol,
        maker_rate=decimal(value.maker_rate),
        taker_rate=decimal(value.taker_rate),
        next_tier_volume=decimal_or_empty(value.next_tier_volume),
    )
