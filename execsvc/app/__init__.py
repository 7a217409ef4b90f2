"""Use cases: placing, cancelling, resolving, watching, reading.

Everything here awaits ports only, so it runs unchanged against real sockets and in a simulation with virtual time. Kraken's
words, protobuf, SQL and sockets are unknown on this floor.
"""
