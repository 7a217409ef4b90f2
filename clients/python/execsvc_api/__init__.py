"""Generated from the execsvc contract; the hand-written client is execsvc_client."""
