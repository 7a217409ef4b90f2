"""Every limit of the gRPC door, each with its reason; docs/reference/doors.md repeats the table and a test compares them.

These hold for connections and for all callers together. What one caller may have going on is quotas.py's, what one stream may
hold back is streams.py's.
"""

from dataclasses import dataclass

REQUEST_BYTES = 64 * 1024
METADATA_BYTES = 8 * 1024
CONNECTIONS_MOST = 512
STREAMS_MOST = 4096
CALLS_MOST = 2048
CANCELS_MOST = 1024
ARRIVING_MOST = 256
ARRIVING_S = 10.0
UNTAKEN_MOST = 2048
UNTAKEN_BYTES = 64 * 1024
HEALTH_MOST = 256
REFLECTIONS_MOST = 16
REFLECTION_S = 30.0
RPCS_MOST = 32768
_NEVER = 2**31 - 1


@dataclass(frozen=True)
class Limit:
    """One option of gRPC's: its name, its value, and why it is that."""

    option: str
    value: int
    why: str


LIMITS = (
    Limit("grpc.so_reuseport", 0, "two servers on one port would share the callers between them"),
    Limit(
        "grpc.max_receive_message_length",
        REQUEST_BYTES,
        "no request of the contract is as long; more is refused unread",
    ),
    Limit("grpc.max_metadata_size", METADATA_BYTES, "from here on headers may be refused"),
    Limit("grpc.absolute_max_metadata_size", 2 * METADATA_BYTES, "from here on headers are refused"),
    Limit("grpc.max_concurrent_streams", 1536, "on one connection: all streams of a caller (1,024) and calls besides"),
    Limit(
        "grpc.max_allowed_incoming_connections", CONNECTIONS_MOST, "leaves half of 1,024 file descriptors to the rest"
    ),
    Limit(
        "grpc.server.max_pending_requests", RPCS_MOST, "beyond it gRPC drops calls by lot, without a word: never before"
    ),
    Limit("grpc.server.max_pending_requests_hard_limit", 2 * RPCS_MOST, "and beyond this one all of them"),
    Limit("grpc.server_handshake_timeout_ms", 10_000, "TLS handshake and HTTP/2 settings; half-open ones end here"),
    Limit(
        "grpc.max_connection_idle_ms",
        1_800_000,
        "a connection without a call is closed, dribbled headers count as none",
    ),
    Limit("grpc.max_connection_age_ms", 3_600_000, "new calls move to a new connection, and so to the new certificate"),
    Limit("grpc.max_connection_age_grace_ms", _NEVER, "never: a stream or a session in use is not cut for its age"),
    Limit("grpc.keepalive_time_ms", 30_000, "a silent peer is asked"),
    Limit("grpc.keepalive_timeout_ms", 10_000, "and given up when it does not answer"),
    Limit("grpc.keepalive_permit_without_calls", 1, "also where it has no call"),
    Limit("grpc.http2.min_ping_interval_without_data_ms", 10_000, "pings that come faster are strikes"),
    Limit("grpc.http2.max_ping_strikes", 2, "and the third ends the connection"),
)
OPTIONS = tuple((limit.option, limit.value) for limit in LIMITS)
