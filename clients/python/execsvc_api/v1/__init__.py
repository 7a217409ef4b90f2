"""Messages (`*_pb2`) and services (`*_service_pb2_grpc`) of the wire package execsvc.v1."""
