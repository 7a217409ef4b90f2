"""What every stream shares, between contract and domain: how a reader wants its items, gaps, the agreed terms, the writing.

The reader's policy goes both ways: in as a request, out again with its defaults filled in. Messages go out as bytes: what
many readers are told alike is written once, and each reader's own meta before it.
"""

from collections.abc import Mapping
from typing import Any

from execsvc_api.v1 import common_pb2 as common
from google.protobuf.message import Message

from execsvc.app.hub import MAX_BATCH, MAX_BUFFERED, Delivery, Gap
from execsvc.rpc.scalars import GAP_REASONS, duration, seconds_of

BODIES_MAX, BODIES_BYTES = 64, 1 << 20  # that are kept written

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


class Written(Message):
    """A message that is serialised already, for gRPC to send; nothing else can be asked of it."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def __repr__(self) -> str:
        return f"<Written {len(self._raw)} bytes>"

    def SerializeToString(self, *, deterministic: bool = False) -> bytes:  # noqa: ARG002, N802 - protobuf's own signature
        """The bytes."""
        return self._raw


class Bodies:
    """Messages without their meta, written; the last ones kept, for many readers are told the very same event."""

    def __init__(self) -> None:
        self._made: dict[tuple[type[Message], str, int], tuple[Message, bytes]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._made)

    def of(self, kind: type[Message], fields: Mapping[str, Any]) -> bytes:
        """A message of these fields. One that is an event alone is kept with it: the event must not change any more."""
        if len(fields) != 1:
            return kind(**fields).SerializeToString()
        ((name, event),) = fields.items()
        key = kind, name, id(event)
        made = self._made.get(key)
        return made[1] if made is not None else self._make(key, event)

    def _make(self, key: tuple[type[Message], str, int], event: Message) -> bytes:
        kind, name, _ = key
        body = kind(**{name: event}).SerializeToString()
        if len(self._made) >= BODIES_MAX or self._bytes + len(body) > BODIES_BYTES:
            self._made.clear()
            self._bytes = 0
        # The event is kept too: as long as it lives, nothing else can have its id.
        self._made[key] = event, body
        self._bytes += len(body)
        return body
