"""The contract made callable: one gate, the servicers behind it, conversions, streams, and the gRPC door."""
