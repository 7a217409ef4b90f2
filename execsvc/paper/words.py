"""Kraken's own words: the error strings the paper exchange answers with, and the one way to say them.

A refusal is raised where a rule is broken and becomes `{"error": [code]}` at the REST face or one error text at
the WebSocket face. Texts follow Kraken's error page and dated measurements; nothing here is looked up by code.
"""

UNKNOWN_METHOD = "EGeneral:Unknown method"
PERMISSION_DENIED = "EGeneral:Permission denied"
INVALID_ARGUMENTS = "EGeneral:Invalid arguments"
CL_ORD_ID_TAKEN = "EGeneral:Invalid arguments:cl_ord_id not unique"

INVALID_KEY = "EAPI:Invalid key"
INVALID_SIGNATURE = "EAPI:Invalid signature"
INVALID_NONCE = "EAPI:Invalid nonce"
INVALID_SESSION = "ESession:Invalid session"
CALL_RATE = "EAPI:Rate limit exceeded"

UNAVAILABLE = "EService:Unavailable"
DEADLINE_ELAPSED = "EService:Deadline elapsed"
CANCEL_ONLY = "EService:Market in cancel_only mode"
POST_ONLY_MODE = "EService:Market in post_only mode"
LIMIT_ONLY = "EService:Market in limit_only mode"

UNKNOWN_PAIR = "EQuery:Unknown asset pair"
UNKNOWN_ASSET = "EQuery:Unknown asset"

UNKNOWN_ORDER = "EOrder:Unknown order"
INVALID_ORDER = "EOrder:Invalid order"
INVALID_PRICE = "EOrder:Invalid price"
INSUFFICIENT_FUNDS = "EOrder:Insufficient funds"
ORDER_MINIMUM = "EOrder:Order minimum not met"
COST_MINIMUM = "EOrder:Cost minimum not met"
TICK_SIZE = "EOrder:Tick size check failed"
WOULD_TAKE = "EOrder:Post only order"
NOT_REDUCIBLE = "EOrder:Reduce only:Non-PC"
NO_POSITION = "EOrder:Reduce only:No position exists"
POSITION_CLOSED = "EOrder:Reduce only:Position is closed"
UNKNOWN_POSITION = "EOrder:Unknown position"
OPPOSING_POSITION = "EOrder:Cannot open opposing position"
INITIAL_MARGIN = "EOrder:Insufficient initial margin"
ALLOWANCE_EXCEEDED = "EOrder:Margin allowance exceeded"
POSITION_SIZE = "EOrder:Margin position size exceeded"
ORDER_RATE = "EOrder:Rate limit exceeded"
ORDERS_LIMIT = "EOrder:Orders limit exceeded"


class Refused(Exception):
    """A rule of the exchange was broken; `code` is the exact text Kraken answers with."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def bad_argument(field: str) -> Refused:
    """Return the refusal of one malformed request field."""
    return Refused(f"{INVALID_ARGUMENTS}:{field}")
