"""Fees with the quantity they were charged for, so that two tellings of one order's fees can be compared.

Fills come one by one and may be missed, sums come seldom: whichever knows more of the order is right. Rates and estimates
are elsewhere.
"""

from dataclasses import dataclass
from decimal import Decimal

from execsvc.domain import money
from execsvc.domain.account import AssetAmount


@dataclass(frozen=True)
class FeeSum:
    """Fees, and the quantity they were charged for."""

    quantity: Decimal = money.ZERO
    fees: tuple[AssetAmount, ...] = ()

    def plus(self, quantity: Decimal, fees: tuple[AssetAmount, ...]) -> "FeeSum":
        """With one fill more; one entry an asset, by its code."""
        totals: dict[str, Decimal] = {}
        for fee in (*self.fees, *fees):
            totals[fee.asset] = totals.get(fee.asset, money.ZERO) + fee.amount
        summed = tuple(AssetAmount(asset, amount) for asset, amount in sorted(totals.items()))
        return FeeSum(self.quantity + quantity, summed)


NO_FEES = FeeSum()
