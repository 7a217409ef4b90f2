"""An order's refusal by Kraken, with the figures the contract promises for its reason (contract.md section 8).

Kraken says only "minimum not met"; which minimum, tick or asset it was, the pair's table tells.
"""

from execsvc.domain import money
from execsvc.domain.errors import Fault, Reason
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import Side
from execsvc.domain.order import Order
from execsvc.kraken.names import Names

_MODES = ("cancel_only", "post_only", "limit_only")


def explained(fault: Fault, order: Order, instrument: Instrument, names: Names) -> Fault:
    """The fault with the metadata of its reason; its id is used."""
    return fault.with_metadata(id_used="true", **_figures(fault, order, instrument, names))


def _figures(fault: Fault, order: Order, instrument: Instrument, names: Names) -> dict[str, str]:
    symbol = instrument.symbol
    match fault.reason:
        case Reason.INSUFFICIENT_FUNDS:
            return {"asset": instrument.quote if order.spec.side is Side.BUY else instrument.base}
        case Reason.ORDER_MINIMUM_NOT_MET:
            if "Cost" in fault.metadata.get("venue_error", ""):
                return {"symbol": symbol, "min_cost": money.text(instrument.min_cost)}
            return {"symbol": symbol, "min_quantity": money.text(instrument.min_quantity)}
        case Reason.TICK_SIZE_VIOLATED:
            return {
                "symbol": symbol,
                "increment": money.text(instrument.price_increment),
                **_nearest(order, instrument),
            }
        case Reason.INSTRUMENT_STATUS:
            said = fault.metadata.get("venue_error", "")
            status = next((mode for mode in _MODES if mode in said), "unknown")
            return {"symbol": symbol, "status": status.upper()}
        case Reason.UNKNOWN_SYMBOL:
            return {"symbol": symbol, "suggestions": ",".join(names.suggest(symbol))}
        case _:
            return {}


def _nearest(order: Order, instrument: Instrument) -> dict[str, str]:
    price = order.spec.limit_price
    return {} if price is None else {"nearest": money.text(money.nearest(price, instrument.price_increment))}
