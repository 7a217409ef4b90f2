"""A gateway whose callers are real: tokens baked into a file and read by the registry, or certificates of an authority.

The exchange is scripted, everything from the socket to the journal is the product's. A `Guest` comes with whatever its door
knows people by.
"""

from contextlib import asynccontextmanager
from dataclasses import dataclass, fields

import grpc
from execsvc_api.v1 import account_service_pb2, admin_service_pb2, market_data_service_pb2, order_service_pb2
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from execsvc.domain.account import Margin
from execsvc.domain.caller import Grant
from execsvc.domain.rights import rights_of
from execsvc.domain.token import Token
from execsvc.rpc import server
from execsvc.rpc.bearer import bake
from execsvc.rpc.callers import Known, KnownCallers, NoTokens
from execsvc.runtime.clock import RealClock
from execsvc.runtime.entropy import RealEntropy
from execsvc.runtime.tls import Keeper
from execsvc.runtime.tokenfile import create
from execsvc.runtime.tokenregistry import TokenRegistry
from execsvc.telemetry import silent
from tests.rpc.stage import Stage, taken_apart
from tests.support.amends import ScriptedAmends
from tests.support.setrates import SetRates
from tests.support.venue import ScriptedRates

ACCOUNTS = ("main", "spare")  # only the first is served: what is refused on it is refused whether or not others are
FILES = (market_data_service_pb2, order_service_pb2, account_service_pb2, admin_service_pb2)
METHODS = {
    f"{service.name}/{method.name}": method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
NO_BOUNDS = Grant(frozenset())
PATIENCE_S = 5.0


@dataclass(frozen=True)
class Holder:
    """Somebody with rights, in the words of tokens; `bounds` narrow them on each account. `of`: whose token, if another's."""

    name: str
    words: tuple
    bounds: Grant = NO_BOUNDS
    default: str = ""
    of: str = ""

    @property
    def caller(self):
        return self.of or self.name

    def rights(self):
        default = self.default or ("main" if any(word.endswith(":main") for word in self.words) else "")
        return rights_of(self.words, self.bounds, default)


@dataclass(frozen=True)
class Came:
    """What became of a call: the answer, or its first message on a stream; else the refusal, taken apart."""

    answer: object = None
    refusal: object = None

    @property
    def reason(self):
        """OK, or the contract's reason."""
        return "OK" if self.refusal is None else self.refusal.reason

    @property
    def denied(self):
        """The code and the reason of whoever has no right to it; None: something else became of it."""
        codes = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)
        return None if self.refusal is None or self.refusal.code not in codes else self.reason


class Guest:
    """One caller on a channel of its own."""

    def __init__(self, channel, metadata):
        self._channel = channel
        self.metadata = metadata

    async def ask(self, method, request):
        """One call with a request in JSON's form; of a stream the first message is waited for."""
        row = METHODS[method]
        message = json_format.ParseDict(request, GetMessageClass(row.input_type)())
        try:
            return Came(await self._call(row, message))
        except grpc.aio.AioRpcError as failed:
            return Came(refusal=taken_apart(failed))

    async def session(self, *requests):
        """The answers of an order session to each of these, its opening included."""
        call = self._session()
        answers = []
        try:
            for number, request in enumerate(({"open": {}}, *requests), start=1):
                kind = order_service_pb2.OrderSessionRequest
                await call.write(json_format.ParseDict({"requestNumber": number, **request}, kind()))
                answer = await call.read()
                while answer.WhichOneof("event") == "heartbeat":
                    answer = await call.read()
                answers.append(answer)
            await call.done_writing()
        finally:
            call.cancel()
        return answers

    def _session(self):
        path = f"/{METHODS['OrderService/OrderSession'].containing_service.full_name}/OrderSession"
        return self._channel.stream_stream(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=order_service_pb2.OrderSessionResponse.FromString,
        )(metadata=self.metadata, timeout=PATIENCE_S)

    async def _call(self, row, message):
        path = f"/{row.containing_service.full_name}/{row.name}"
        codec = {
            "request_serializer": lambda each: each.SerializeToString(),
            "response_deserializer": GetMessageClass(row.output_type).FromString,
        }
        if not row.server_streaming:
            call = self._channel.unary_unary(path, **codec)
            return await call(message, metadata=self.metadata, timeout=PATIENCE_S)
        if row.client_streaming:
            stream = self._session()
            await stream.write(message)
        else:
            stream = self._channel.unary_stream(path, **codec)(message, metadata=self.metadata, timeout=PATIENCE_S)
        try:
            first = await stream.read()
        finally:
            stream.cancel()
        if first is grpc.aio.EOF:
            raise AssertionError(f"{row.name} ended without a word")
        return first


class RoomyRates(ScriptedRates):
    """Counters with figures to look at, which are never in the way of anything."""

    def __init__(self):
        super().__init__()
        self._figures = SetRates()

    def counters(self, symbols):
        return self._figures.counters(symbols)

    def capacity(self, question):
        return self._figures.capacity(question)


class Gateway(Stage):
    """The stage behind one of two doors; `guest` gives a caller by its holder's name."""

    def __init__(self, callers, keeper, credentials, metadata):
        super().__init__(callers=callers, rates=RoomyRates())
        self.venue.amends = ScriptedAmends(self.venue, self.clock, self.tasks)
        self.venue.statements.margins["USD"] = Margin("USD", *[None] * (len(fields(Margin)) - 1))
        self._keeper = keeper
        self._credentials = credentials
        self._metadata = metadata
        self._channels = []

    async def open(self):
        await self.catalog.refresh()
        self.tasks.start("watch", self.feeds.watch())
        self.tasks.start("executions", self.executions.follow())
        self.tasks.start("owner", self.house.owner.keep())
        self.tasks.start("amend doubts", self.house.amends.doubts.run())
        self.door = await server.start("127.0.0.1:0", self.services, pairs=self._keeper)

    def guest(self, holder):
        return Guest(self._dial(self._credentials(holder)), self._metadata(holder))

    def stranger(self, *headers):
        """Somebody without token and certificate, with these headers."""
        return Guest(self._dial(None), headers)

    def _dial(self, credentials):
        address = f"127.0.0.1:{self.door.port}"
        quiet = (("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1))
        channel = (
            grpc.aio.insecure_channel(address, options=quiet)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, options=quiet)
        )
        self._channels.append(channel)
        return channel

    async def shut(self):
        for channel in self._channels:
            await channel.close()
        await self.door.stop(0.2)
        await self.tasks.close()
        self.settlements.close()


def nothing_said(*_said):
    """For what the operator would be told."""


def callers_of(known, tokens, clock):
    return KnownCallers(
        accounts=ACCOUNTS,
        known=known,
        tokens=tokens,
        clock=clock,
        telemetry=silent(),
        warn=nothing_said,
    )


def baked_into(folder, holders, clock):
    """A registry of a file with a token for each, and the header that each comes with."""
    baked = {holder.name: bake(RealEntropy()) for holder in holders}
    tokens = [
        Token(baked[each.name].id, each.caller, baked[each.name].sha256, clock.wall_ns(), None, each.rights())
        for each in holders
    ]
    path = folder / "tokens.toml"
    assert create(path, tokens, {})
    headers = {name: (("authorization", f"Bearer {each.text}"),) for name, each in baked.items()}
    return TokenRegistry.of(path, clock=clock, alarm=nothing_said), headers


@asynccontextmanager
async def by_token(folder, holders):
    """Plaintext on this machine, callers by token."""
    clock = RealClock()
    registry, headers = baked_into(folder, holders, clock)
    callers = callers_of((), registry, clock)
    async with _opened(Gateway(callers, None, lambda _: None, headers.__getitem__)) as gateway:
        yield gateway


def leaves_of(authority, holders):
    """A certificate for each, in its DNS name."""
    return {each.name: authority.leaf(each.name, sans=(f"DNS:{each.name}",)) for each in holders}


@asynccontextmanager
async def by_certificate(authority, leaves, holders):
    """TLS, callers by their certificates alone."""
    clock = RealClock()
    callers = callers_of(known_by(holders), NoTokens(), clock)
    showing = shown_by(authority, leaves)
    async with _opened(Gateway(callers, keeper_of(authority, clock), showing, lambda _: ())) as gateway:
        yield gateway


@asynccontextmanager
async def by_both(authority, folder, holder, tokens, *, known=True):
    """TLS; everybody shows the holder's certificate, and comes with one of these tokens besides.

    known: the certificate is a caller's; else nobody's, as that of a proxy.
    """
    clock = RealClock()
    registry, headers = baked_into(folder, tokens, clock)
    callers = callers_of(known_by((holder,) if known else ()), registry, clock)
    certificate = shown_by(authority, leaves_of(authority, (holder,)))(holder.name)
    gateway = Gateway(callers, keeper_of(authority, clock), lambda _: certificate, lambda name: headers.get(name, ()))
    async with _opened(gateway):
        yield gateway


def known_by(holders):
    """The callers of the settings, each by a certificate in its name."""
    return tuple(Known(each.name, each.rights(), (each.name,)) for each in holders)


def keeper_of(authority, clock):
    """The gateway's own certificate, and whose it believes."""
    pair = authority.leaf("gateway")
    return Keeper(pair.certificate, pair.key, authority.certificate, clock=clock, told=nothing_said)


def shown_by(authority, leaves):
    """The channel credentials of each holder."""

    def credentials(holder):
        key, certificate = leaves[holder].pems()
        return grpc.ssl_channel_credentials(authority.pem, key, certificate)

    return credentials


@asynccontextmanager
async def _opened(gateway):
    await gateway.open()
    try:
        yield gateway
    finally:
        await gateway.shut()
        assert [] == gateway.tasks.failures
