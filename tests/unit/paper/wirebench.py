"""A trader on real sockets, and what it listens for."""

import time
from urllib.parse import urlencode

from execsvc.paper.options import PaperOptions
from tests.unit.paper.paperbench import sign

QUICK = PaperOptions(pairs=("BTC/USD", "ETH/USD"), control_port=0, warm_up_s=2)


class Trader:
    def __init__(self, server, http):
        self.server, self.http = server, http
        self.nonce = time.time_ns()

    async def call(self, method, **params):
        self.nonce += 1
        path, body = f"/0/private/{method}", urlencode({"nonce": self.nonce, **params}).encode()
        headers = {"API-Key": self.server.api_key, "API-Sign": sign(self.server.api_secret, path, self.nonce, body)}
        async with self.http.post(self.server.rest_url + path, data=body, headers=headers) as reply:
            return await reply.json()

    async def control(self, method, path, **body):
        async with self.http.request(method, self.server.control_url + path, json=body) as reply:
            return await reply.json()


async def receive(socket, wanted):
    """Return the first frame that is wanted; heartbeats and others pass by."""
    while True:
        frame = await socket.receive_json(timeout=3)
        if wanted(frame):
            return frame
