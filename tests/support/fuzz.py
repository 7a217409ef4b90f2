"""Messages that nobody means, for each method of the contract: random bytes, nonsense in valid form, valid messages bent.

Everything follows from a seed. `assault` sends them through a gate and looks for what must never be: an error of ours, an
answer that is neither response nor verdict, an exception.
"""

import random
import struct
from collections import Counter, deque
from dataclasses import fields

from execsvc_api.v1 import account_service_pb2, admin_service_pb2, market_data_service_pb2, order_service_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from execsvc.domain.account import Margin
from execsvc.domain.errors import Reason
from execsvc.rpc.admit import Knock
from tests.support.setrates import SetRates
from tests.support.venue import Fate, FreeRoom

FILES = (market_data_service_pb2, order_service_pb2, account_service_pb2, admin_service_pb2)
METHODS = tuple(
    (f"{service.full_name}/{method.name}", GetMessageClass(method.input_type), method.server_streaming)
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
)
TEXTS = (
    "", "BTC/USD", "ETH/USD", "XXBTZUSD", "main", "local", "*", "one", "0", "0.001", "60000.0", "-1", "1e400", "NaN", "0x10",
    "1_000", "١٢٣", "9" * 400, "0." + "0" * 400 + "1", "a" * 5000, "\x00", "\u202e", "😀" * 50, "'; --", "../../etc", "OX",
    "6d1b345e-2821-40e2-ad83-4ecb18a06876", "Infinity", " BTC/USD ", "btc/usd",
)  # fmt: skip
# What a caller would write there: most of the time, so that nonsense elsewhere is looked at by more than the first check.
LIKELY = {
    "account": ("", "main"), "symbol": ("BTC/USD",), "symbols": ("BTC/USD", "ETH/USD"), "client_order_id": tuple("abcdefgh"),
    "order_id": ("a", "b", ""), "base_quantity": ("0.001", "0.5"), "limit_price": ("60000.0", "59999.9"),
    "trigger_price": ("61000.0",), "asset": ("USD",), "depth": (10, 25), "page_size": (0, 10), "interval": (1, 2),
}  # fmt: skip
LIKELINESS = 0.85
NUMBERS = (0, 1, -1, 2, 25, 64, 1000, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63), 2**64 - 1)
LIMITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1), FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1), FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}  # fmt: skip
DEPTH = 5
SPARSE = 0.93  # of the fields that are left alone where the rest is right


def rightly(chance, kind):
    """A message that means something, where its method has orders in it; else an empty one."""
    made = kind()
    names = {each.name for each in kind.DESCRIPTOR.fields}
    if "client_order_id" in names:
        made.client_order_id = f"{chance.choice('abcdefgh')}{chance.randrange(50)}"
    if "spec" in names:
        _order(chance, made.spec)
    if kind.DESCRIPTOR.name == "PlaceOrdersRequest":
        for number in range(chance.randrange(2, 4)):
            _order(chance, made.entries.add(client_order_id=f"m{chance.randrange(100)}{number}").spec)
    return made


def _order(chance, spec):
    spec.symbol, spec.side, spec.base_quantity = "BTC/USD", chance.choice((1, 2)), "0.001"
    spec.limit.limit_price = chance.choice(("60000.0", "61000.0"))


def request(chance, kind):
    """The bytes of one request."""
    way = chance.random()
    if way < 0.2:
        return chance.randbytes(chance.choice((0, 1, 3, 20, 200, 2000)))
    made = filled(chance, kind()) if way < 0.5 else filled(chance, rightly(chance, kind), skip=SPARSE)
    whole = made.SerializeToString()
    return whole if way < 0.8 else bent(chance, whole)


def filled(chance, message, depth=0, skip=None):
    """Fields set by lot, nonsense among them; of each, `skip` is how likely it is left alone."""
    for field in message.DESCRIPTOR.fields:
        if chance.random() < (skip or (0.15 if field.name in LIKELY else 0.5)):
            continue
        try:
            _fill(chance, message, field, depth)
        except (ValueError, TypeError, UnicodeError):
            continue  # the library itself does not write such a value
    return message


def _fill(chance, message, field, depth):
    several = field.is_repeated
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        if depth < DEPTH and not field.message_type.GetOptions().map_entry:
            inner = getattr(message, field.name)
            for _ in range(chance.choice((1, 2, 20)) if several else 1):
                made = inner.add() if several else inner
                made.SetInParent()
                filled(chance, made, depth + 1)
        return
    values = [_value(chance, field) for _ in range(chance.choice((1, 2, 60)) if several else 1)]
    if several:
        getattr(message, field.name).extend(values)
    else:
        setattr(message, field.name, values[0])


def _value(chance, field):
    if field.name in LIKELY and chance.random() < LIKELINESS:
        return chance.choice(LIKELY[field.name])
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        text = chance.choice(TEXTS)
        return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return chance.random() < 0.5
    if field.cpp_type in LIMITS:
        least, most = LIMITS[field.cpp_type]
        small = field.cpp_type == FieldDescriptor.CPPTYPE_ENUM and chance.random() < 0.8
        return chance.randrange(4) if small else min(max(chance.choice(NUMBERS), least), most)
    return struct.unpack("<d", chance.randbytes(8))[0]


def bent(chance, whole):
    """A valid message with bytes flipped, lost, repeated or put in."""
    made = bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(made) + 1)
        way = chance.randrange(4)
        if way == 0 and at < len(made):
            made[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            del made[at : at + chance.choice((1, 4, 100))]
        elif way == 2:
            made[at:at] = chance.randbytes(chance.choice((1, 4, 20)))
        else:
            made[at:at] = made[at : at + 20]
    return bytes(made)


class Roomy(SetRates):
    """Counters to look at, and room in them for whoever asks."""

    async def room(self, symbol, caller, by):
        return FreeRoom()

    async def rooms(self, symbol, caller, by, count):
        return [FreeRoom() for _ in range(count)]


class AtOnce:
    """A plan without an end: what is placed arrives before anything else happens, however slow the machine."""

    def __bool__(self):
        return True

    def popleft(self):
        return Fate(arrives_s=0)


def ready(stage):
    """A stage (made with Roomy rates) that has an answer to everything and remembers no question."""
    stage.venue.plan = AtOnce()
    stage.venue.rates.asked = stage.venue.rates.looked_at = deque(maxlen=10)
    blank = [None] * (len(fields(Margin)) - 1)
    stage.venue.statements.margins = {code: Margin(code, *blank) for code in ("USD", "BTC", "ETH")}
    stage.venue.statements.asked = stage.public.asked = deque(maxlen=10)
    return stage


class Finding(Exception):
    """What must never be; tells the seed and the number that repeat it."""


async def assault(gate, *, seed, count, reports):
    """`count` messages, the methods in turn; how often they came to which end. `reports`: where the gate tells our errors."""
    chance, ends = random.Random(seed), Counter()
    for number in range(count):
        method, kind, streams = METHODS[number % len(METHODS)]
        raw = request(chance, kind)
        knock = Knock(method, lambda raw=raw, kind=kind: kind.FromString(raw), {}, "unix:", left_s=30.0)
        where = f"seed {seed}, message {number}, {method}, {raw[:200].hex()}"
        try:
            reason = await (_stream if streams else _unary)(gate, knock)
        except Exception as error:
            raise Finding(f"{where}: {error!r}") from error
        if reports or reason == Reason.INTERNAL.name:
            raise Finding(f"{where}: {reason} {reports[:1]}")
        ends[reason] += 1
    return ends


async def _unary(gate, knock):
    return _reason(await gate.unary(knock))


async def _stream(gate, knock):
    steps = gate.stream(knock)
    try:
        first = await anext(steps)
    finally:
        await steps.aclose()
    return _reason(first) if hasattr(first, "verdict") else "OK"


def _reason(answer):
    assert (answer.verdict is None) != (answer.response is None)
    return "OK" if answer.verdict is None else answer.verdict.reason.name
