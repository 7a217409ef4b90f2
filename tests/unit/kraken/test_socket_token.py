"""The private stream's token: each costs a point, so one that was never used is used by the next link."""

import asyncio

import pytest
from kraken_parts import live

from execsvc.kraken.sockettoken import TOKEN_LIFE_S
from tests.support.net import MemoryDialer, answer

ACK = {"method": "subscribe", "success": True, "result": {"channel": "executions"}, "req_id": 1}
REFUSED = {"method": "subscribe", "success": False, "error": "ESession:Invalid session"}
SNAPSHOT = {"channel": "executions", "type": "snapshot", "data": [], "sequence": 1}


class Kraken:
    """Gives out tokens by number; everything else it answers with nothing."""

    def __init__(self):
        self.given = 0

    def __call__(self, sent):
        if not sent.path.endswith("GetWebSocketsToken"):
            return answer({})
        self.given += 1
        return answer({"token": f"token-{self.given}", "expires": 900})


def tokens_of(*links, pause_s=0.0, refusals=0):
    """The token of each link's subscription; a link hears its frames and is cut, `pause_s` after it was told of them."""
    dialer = MemoryDialer(refusals=refusals)

    async def act(side, clock):
        async def follow():
            async for _ in side.events():
                pass

        following = asyncio.ensure_future(follow())
        used = []
        for number, frames in enumerate((*links, ())):
            while len(dialer.lines) <= number or not dialer.lines[number].asked("subscribe"):
                await clock.sleep(0.1)
            line = dialer.lines[number]
            used.append(line.asked("subscribe")[0]["params"]["token"])
            for frame in frames:
                line.tell(frame)
            await clock.sleep(0.01)
            line.cut()
            await clock.sleep(pause_s)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return used

    return live(Kraken(), act, dialer=dialer)[0]


def test_a_token_that_was_never_used_serves_the_next_link():
    """Two links broke before Kraken had spoken of it."""
    assert ["token-1"] * 3 == tokens_of((), ())


def test_dials_that_fail_cost_no_further_tokens():
    """No link came about."""
    assert ["token-1"] * 2 == tokens_of((), refusals=3)


@pytest.mark.parametrize("word", [ACK, REFUSED])
def test_a_token_of_which_kraken_has_spoken_is_not_used_again(word):
    """Accepted or refused, the next link asks for another."""
    assert ["token-1", "token-2"] == tokens_of((word,))


def test_each_used_link_asks_for_its_own():
    """A snapshot and all: one token a link that stood."""
    assert ["token-1", "token-2", "token-3"] == tokens_of((ACK, SNAPSHOT), (ACK, SNAPSHOT))


def test_an_unused_token_is_not_kept_beyond_its_life():
    """Kraken would not know it any more."""
    dialer = MemoryDialer()

    async def act(side, clock):
        first = await side._token.take()
        await clock.sleep(TOKEN_LIFE_S - 1.0)
        second = await side._token.take()
        await clock.sleep(1.0)
        return first, second, await side._token.take()

    assert live(Kraken(), act, dialer=dialer)[0] == ("token-1", "token-1", "token-2")


def test_a_token_costs_a_point_of_the_key():
    """It waits for the key's counter as any call, and may use what reads leave."""

    async def act(side, clock):
        await side._token.take()
        return side.rates.rest.level(clock.monotonic())

    assert live(Kraken(), act, tier="starter")[0] == 1


def test_no_token_is_shown():
    """By accident or otherwise."""

    async def act(side, clock):
        await side._token.take()
        return repr(side) + repr(side._token)

    assert "token-1" not in live(Kraken(), act)[0]
