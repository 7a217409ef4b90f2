"""Mishaps of trading requests over the WebSocket: lost, cut, refused, late."""

import pytest

from execsvc.paper.mishap import Fault
from tests.unit.paper.test_paper_wstrade import LIMIT, Trader

SOON = "2026-01-01T00:00:03Z"


@pytest.fixture
def desk(ladder):
    return Trader(ladder)


def arm(desk, kind, call="add_order", **more):
    desk.bench.exchange.fault(Fault(kind=kind, call=call, **more), desk.bench.now)


def placed(desk):
    return desk.bench.venue.orders.count


@pytest.mark.parametrize(
    ("kind", "more", "orders"),
    [
        ("request_lost", {}, 0),
        ("reply_lost_after_apply", {}, 1),
        ("bad_gateway", {}, 0),
        ("bad_gateway", {"applied": True}, 1),
    ],
)
def test_cut(desk, kind, more, orders):
    """The line is cut without an answer; whether there is an order depends on which way was lost."""
    arm(desk, kind, **more)
    assert [] == desk.all("add_order", **LIMIT)
    assert (1006, orders) == (desk.socket.line.closed, placed(desk))


@pytest.mark.parametrize(("applied", "orders"), [(False, 0), (True, 1)])
def test_error(desk, applied, orders):
    """An error takes the answer's place, and says nothing about whether the request was carried out."""
    arm(desk, "error", error="EService:Busy", applied=applied)
    assert "EService:Busy" == desk.error("add_order", **LIMIT)
    assert orders == placed(desk)
    assert desk.one("add_order", **LIMIT)["success"]


@pytest.mark.parametrize(("when", "orders"), [("wire", 0), ("before", 0), ("after", 1)])
def test_delay(desk, when, orders):
    """A request may be late on its way, before the engine, or in being answered; time_in is when it came."""
    arm(desk, "delay", ms=2_000, when=when)
    assert [] == desk.all("add_order", **LIMIT)
    assert orders == placed(desk)
    desk.bench.wait(2)
    (answer,) = [frame for frame in desk.socket.frames() if frame.get("method") == "add_order"]
    assert ("2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:02.000000Z") == (answer["time_in"], answer["time_out"])
    assert (True, 1) == (answer["success"], placed(desk))


@pytest.mark.parametrize(
    ("when", "error"),
    [("before", "EService:Deadline elapsed"), ("wire", "EGeneral:Invalid arguments:deadline")],
)
def test_deadline_of_a_late_request(desk, when, error):
    """Held up before the engine a deadline elapses; held up on the way it is past when it is first read."""
    arm(desk, "delay", ms=4_000, when=when)
    desk.all("add_order", **LIMIT, deadline=SOON)
    desk.bench.wait(4)
    (answer,) = [frame for frame in desk.socket.frames() if frame.get("method") == "add_order"]
    assert error == answer["error"]


def test_only_the_method_meant(desk):
    """A mishap of one method leaves the others alone, and REST's name is another method."""
    arm(desk, "error", call="cancel_all")
    arm(desk, "error", call="AddOrder")
    assert desk.one("add_order", **LIMIT)["success"]
    assert "EService:Unavailable" == desk.error("cancel_all")


def test_only_the_key_meant(desk):
    """A mishap of one key strikes the tokens made with it, and no others."""
    other = desk.bench.venue.keys.make("other", desk.bench.key.permissions, now=desk.bench.now)
    arm(desk, "error", key=other.api_key)
    assert desk.one("add_order", **LIMIT)["success"]
    assert "EService:Unavailable" == Trader(desk.bench, key=other).error("add_order", **LIMIT)


def test_asking_for_the_key_uses_no_token(desk):
    """Looking whose token it is does not make an unused one good for ever."""
    token = desk.bench.ok("GetWebSocketsToken")["token"]
    assert desk.bench.key.api_key == desk.bench.venue.keys.holder(token)
    desk.bench.wait(901)
    late = Trader(desk.bench)
    late.token = token
    assert "ESession:Invalid session" == late.error("add_order", **LIMIT)
