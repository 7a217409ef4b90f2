"""Between protobuf and the domain, both ways: total functions, no decisions, no I/O."""
