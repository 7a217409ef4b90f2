"""Balances and fills into the contract's messages.

There is no way back: nobody sends them to us. Amounts of assets are here too, since orders carry them.
"""

from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import order_pb2 as order

from execsvc.domain.account import AssetAmount, Balance, Fill
from execsvc.domain.ids import EXTERNAL_PREFIX
from execsvc.domain.market import EventTimes
from execsvc.rpc.scalars import SIDES, decimal, event_times


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
        times=event_times(value.times),
    )


def amounts(values: tuple[AssetAmount, ...]) -> list[order.AssetAmount]:
    """Amounts of assets, in their order."""
    return [order.AssetAmount(asset=each.asset, amount=decimal(each.amount)) for each in values]
