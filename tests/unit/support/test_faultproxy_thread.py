"""The proxy in a thread of its own: for tests and callers that block."""

import socket
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from tests.support.faultproxy_thread import proxy_thread
from tests.support.toxics import Dose, Down, ReplacePage


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.done.append(body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nobody reads it."""


@pytest.fixture
def server():
    running = HTTPServer(("127.0.0.1", 0), Handler)
    running.done = []
    thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def post(port, body):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/Add", body, timeout=5) as answer:
        return answer.read()


def test_a_blocking_caller_meets_the_toxics(server):
    """Added and removed from outside the loop, at work when the call returns."""
    with proxy_thread() as thread:
        proxy = thread.open(server.server_port, http=True)
        assert post(proxy.port, b"1") == b"1"
        armed = proxy.add(Dose(ReplacePage(520)))
        with pytest.raises(urllib.error.HTTPError) as told:
            post(proxy.port, b"2")
        proxy.remove(armed)
        assert post(proxy.port, b"3") == b"3"
        assert proxy.until_sent("/Add", 3, within_s=1.0)
        down = proxy.add(Dose(Down()))
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", proxy.port))
        proxy.clear()
        assert post(proxy.port, b"4") == b"4"
        assert [request.message.body for request in proxy.asked()] == [b"1", b"2", b"3", b"4"]
        assert proxy.asked() == proxy.sent()
    assert (told.value.code, armed.strikes, down.strikes) == (520, 1, 1)
    assert server.done == [b"1", b"2", b"3", b"4"]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", proxy.port))


def test_a_mistake_is_raised_where_it_was_made(server):
    """What the loop refuses, the caller's line raises."""
    with proxy_thread() as thread:
        proxy = thread.open(server.server_port)
        with pytest.raises(ValueError, match="does not read HTTP"):
            proxy.add(Dose(ReplacePage()))
