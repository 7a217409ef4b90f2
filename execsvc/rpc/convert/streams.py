"""What every stream shares, between contract and domain: how a reader wants its items, gaps, and the agreed terms.

The reader's policy goes both ways: in as a request, out again with its defaults filled in.
"""

from execsvc_api.v1 import common_pb2 as common

from execsvc.app.hub import MAX_BATCH, MAX_BUFFERED, Delivery, Gap
from execsvc.rpc.scalars import GAP_REASONS, duration, seconds_of

_MODES = common.DeliveryPolicy.Mode


def delivery_of(policy: common.DeliveryPolicy, *, conflates: bool) -> Delivery:
    """The policy with its defaults; `conflates` is the method's own choice of mode."""
    mode = policy.mode or (_MODES.MODE_CONFLATE if conflates else _MODES.MODE_BUFFER)
    return Delivery(
        conflate=mode == _MODES.MODE_CONFLATE,
        min_interval_s=seconds_of(policy.min_interval),
        max_buffered=policy.max_buffered or MAX_BUFFERED,
        max_batch=policy.max_batch or MAX_BATCH,
    )


def delivery(value: Delivery) -> common.DeliveryPolicy:
    """The policy in force; only the figures that its mode knows."""
    if value.conflate:
        return common.DeliveryPolicy(
            mode=_MODES.MODE_CONFLATE, min_interval=duration(value.min_interval_s), max_batch=value.max_batch
        )
    return common.DeliveryPolicy(mode=_MODES.MODE_BUFFER, max_buffered=value.max_buffered, max_batch=value.max_batch)


def gap(value: Gap) -> common.Gap:
    """A hole."""
    return common.Gap(reason=GAP_REASONS[value.reason], symbols=value.symbols, lost_count=value.lost)
