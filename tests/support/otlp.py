"""A collector of spans: the OTLP door that a gateway's exporter is pointed at, on loopback."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps every span it is sent."""

    def __init__(self):
        self.spans = []
        self.port = 0

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def Export(self, request, context):  # noqa: N802 - the protocol's name
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        return trace_service_pb2.ExportTraceServiceResponse()


@contextmanager
def collecting():
    server = grpc.server(ThreadPoolExecutor(2))
    here = Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(here, server)
    here.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield here
    finally:
        server.stop(0)
