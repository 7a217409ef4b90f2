"""What a session asks, under which number, what an answer means to whom, and what a loss leaves: without any line."""

from concurrent.futures import Future
from dataclasses import dataclass, field

import grpc
import pytest
from execsvc_api.v1 import order_service_pb2 as orders
from execsvc_client import Connected, Facts, Gap, GapReason, OrderUpdate, OutcomeUnknown, Unavailable, _methods
from execsvc_client._session import CHANGES_MAX, Asked, Changes, SessionTerms, Talk
from hypothesis import given
from hypothesis import strategies as st

TERMS = SessionTerms("main", cancel_on_disconnect=True, follow=True, heartbeat=1.0, max_in_flight=7)
ACCEPTED = orders.OrderSessionResponse(request_number=1)
ACCEPTED.accepted.stream_id, ACCEPTED.accepted.server_epoch = "s-1", "e-1"


def asked_for(name, by=10.0, entry=5.0):
    request = orders.PlaceOrderRequest(client_order_id=name)
    return Asked("place", request, by, Future(), name, entry)


def opened():
    talk = Talk(TERMS)
    talk.begin()
    assert [Connected("s-1", "e-1", resumed=False)] == list(talk.receive(ACCEPTED))
    return talk


def said(number, reason="", code=grpc.StatusCode.UNAVAILABLE, **metadata):
    answer = orders.OrderSessionResponse(request_number=number)
    answer.error.code, answer.error.reason = code.value[0], reason
    answer.error.metadata.update(metadata)
    return answer


def hears(talk, *messages):
    return [event for message in messages for event in talk.receive(message)]


def test_the_row_of_the_method_is_as_the_contract_says():
    """Both ways, and the types of the descriptors."""
    method = orders.DESCRIPTOR.services_by_name["OrderService"].methods_by_name["OrderSession"]
    row = _methods.ORDER_SESSION
    assert (True, True) == (method.client_streaming, method.server_streaming)
    assert (method.input_type, method.output_type, f"/{method.containing_service.full_name}/OrderSession") == (
        row.request.DESCRIPTOR,
        row.answer.DESCRIPTOR,
        row.path,
    )


def test_a_stream_begins_with_its_terms():
    """Number 1; a later stream takes the lost one over by its stream_id."""
    talk = Talk(TERMS)
    first = talk.begin()
    assert (1, "main", True, True, 7, 1, "") == (
        first.request_number,
        first.open.account,
        first.open.cancel_on_disconnect,
        first.open.follow_orders,
        first.open.max_in_flight,
        first.open.heartbeat_interval.seconds,
        first.open.resume_stream_id,
    )
    hears(talk, ACCEPTED)
    assert "s-1" == talk.begin().open.resume_stream_id


def test_answers_go_to_who_asked():
    """By number, in whatever sequence; one that is newer than this client is an unknown outcome."""
    talk = opened()
    first, second, third = (asked_for(name) for name in "abc")
    for each in (first, second, third):
        talk.ask(each)
    assert [2, 3, 4] == [talk.next(0.0).request_number for _ in range(3)]
    assert talk.next(0.0) is None
    placed = orders.OrderSessionResponse(request_number=3)
    placed.place.replayed = True
    hears(talk, placed, said(2, "RISK_REFUSED", grpc.StatusCode.FAILED_PRECONDITION), said(99))
    hears(talk, orders.OrderSessionResponse(request_number=4))
    assert second.answer.result(0).replayed
    assert ("RISK_REFUSED", "a") == ((error := first.answer.exception(0)).reason, error.client_order_id)
    assert isinstance(third.answer.exception(0), OutcomeUnknown)
    assert talk.idle


def test_what_is_not_answered_is_asked_again_first_and_as_it_was():
    """After a loss: in the old sequence, before anything newer, under the same id, in the time that is left."""
    talk = opened()
    for each in (first := asked_for("a"), second := asked_for("b"), asked_for("c")):
        talk.ask(each)
    assert ["a", "b"] == [talk.next(1.0).place.client_order_id for _ in range(2)]
    talk.begin()
    again = [talk.next(7.0) for _ in range(3)]
    assert [(2, "a", 3), (3, "b", 3), (4, "c", 3)] == [
        (each.request_number, each.place.client_order_id, each.place.max_entry_delay.seconds) for each in again
    ]
    assert (True, True) == (first.again, second.again)


def test_what_nobody_waits_for_is_not_sent():
    """Neither what is overdue nor what was given up; nor is it sent after a loss."""
    talk = opened()
    overdue, given_up = asked_for("a", by=1.0), asked_for("b")
    talk.ask(overdue)
    talk.ask(given_up)
    assert isinstance(talk.overdue(given_up), Unavailable)
    assert talk.next(1.0) is None
    talk.ask(left := asked_for("c"))
    talk.next(1.0)
    left.answer.cancel()
    talk.begin()
    assert talk.next(1.0) is None


@pytest.mark.parametrize(
    ("reason", "metadata", "kind"),
    [
        ("DEADLINE_TOO_SHORT", {"id_used": "false"}, OutcomeUnknown),
        ("SHUTTING_DOWN", {}, OutcomeUnknown),
        ("", {}, OutcomeUnknown),
        ("VENUE_UNREACHABLE", {"id_used": "true"}, Unavailable),
    ],
)
def test_an_answer_to_the_second_asking_must_speak_of_the_order(reason, metadata, kind):
    """The first may have arrived: what only says that this one did nothing leaves the outcome unknown."""
    talk = opened()
    talk.ask(asked := asked_for("a"))
    talk.next(0.0)
    talk.begin()
    talk.next(1.0)
    hears(talk, said(2, reason, **metadata))
    assert kind is type(asked.answer.exception(0))


def test_an_answer_to_the_only_asking_is_taken_at_its_word():
    """Nothing was sent means that nothing was sent."""
    talk = opened()
    talk.ask(asked := asked_for("a"))
    talk.next(0.0)
    hears(talk, said(2, "SHUTTING_DOWN"))
    assert Unavailable is type(asked.answer.exception(0))


def test_an_end_leaves_unknown_what_had_left():
    """And unsent what had not; nothing can be asked after."""
    talk = opened()
    talk.ask(left := asked_for("a"))
    talk.next(0.0)
    talk.ask(waiting := asked_for("b"))
    talk.end(ended())
    assert (OutcomeUnknown, Unavailable) == tuple(type(each.answer.exception(0)) for each in (left, waiting))
    with pytest.raises(Unavailable, match="the session is over: gone; nothing was sent"):
        talk.ask(asked_for("c"))


def ended(reason=""):
    return Unavailable(Facts(grpc.StatusCode.UNAVAILABLE, "gone", reason))


def test_a_session_nobody_knows_any_more_is_opened_anew():
    """Once: without a stream_id, and told as not resumed."""
    talk = opened()
    assert talk.recovers(ended("RESUME_TOKEN_EXPIRED"))
    assert "" == talk.begin().open.resume_stream_id
    assert [False] == [event.resumed for event in hears(talk, ACCEPTED)]
    assert not talk.recovers(ended("INVALID_REQUEST"))


def test_a_change_of_an_order_is_an_event():
    """With the state of the private feed; heartbeats are none."""
    talk = opened()
    change, beat = orders.OrderSessionResponse(), orders.OrderSessionResponse()
    change.order.client_order_id, change.order.filled_quantity, change.order.filled_cost = "a", "0", "0"
    beat.heartbeat.queue_depth = 3
    (event,) = hears(talk, change, beat)
    assert (OrderUpdate, "a", "") == (type(event), event.order.client_order_id, event.resume_token)


def test_events_wait_up_to_a_bound_and_then_the_oldest_are_lost():
    """A Gap says how many, before those that are left."""
    changes = Changes(lambda: None)
    for number in range(CHANGES_MAX + 3):
        changes.put(Connected(str(number), ""))
    gap = changes.take()
    assert (Gap, GapReason.SLOW_CONSUMER, 3, "3") == (type(gap), gap.reason, gap.lost, changes.take().stream_id)
    rest = [changes.take() for _ in range(CHANGES_MAX)]
    assert (str(CHANGES_MAX + 2), None) == (rest[-2].stream_id, rest[-1])


@dataclass
class Gate:
    """A gateway's memory of ids: what was ever carried out, each once."""

    done: list = field(default_factory=list)

    def take(self, request):
        name = request.place.client_order_id
        replayed = name in self.done
        if not replayed:
            self.done.append(name)
        answer = orders.OrderSessionResponse(request_number=request.request_number)
        answer.place.replayed = replayed
        return answer


@given(st.lists(st.sampled_from(["ask", "write", "answer", "lose the answers", "lose the requests"]), max_size=40))
def test_whatever_is_lost_each_is_carried_out_once_and_answered(steps):
    """Once the line stands, everything asked is answered; nothing is carried out under any other id, or twice."""
    talk, gate = opened(), Gate()
    asked, under_way = [], []
    for step in [*steps, "lose the answers"]:
        match step:
            case "ask":
                asked.append(asked_for(str(len(asked))))
                talk.ask(asked[-1])
            case "write" if (request := talk.next(0.0)) is not None:
                under_way.append(request)
            case "answer" if under_way:
                hears(talk, gate.take(under_way.pop(0)))
            case "lose the answers":  # they arrived, and the line was cut before their answers came
                for request in under_way:
                    gate.take(request)
                under_way.clear()
                talk.begin()
            case "lose the requests":
                under_way.clear()
                talk.begin()
    while (request := talk.next(0.0)) is not None:
        hears(talk, gate.take(request))
    assert all(each.answer.done() for each in asked)
    assert sorted(gate.done) == sorted(each.client_order_id for each in asked)
