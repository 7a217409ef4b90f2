"""How tests read a stream: so many messages, or until one of a kind comes."""

import asyncio


def kind(message):
    return message.WhichOneof("event")


class Reader:
    """Reads one stream and keeps what it read."""

    def __init__(self, call):
        self.call = call
        self.held = []

    async def take(self, count):
        async with asyncio.timeout(3):
            for _ in range(count):
                self.held.append(await self.call.read())
        return self.held[-count:]

    async def until(self, wanted):
        """Reads until a message of that kind comes, and gives it."""
        while True:
            (message,) = await self.take(1)
            if kind(message) == wanted:
                return message

    @property
    def kinds(self):
        return [kind(message) for message in self.held]
