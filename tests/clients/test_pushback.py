"""Stock gRPC clients wait exactly as long as a refusal says: Python's two libraries and Go's, given only clients/retry.json.

The wait is measured where it matters, at the gate: from the refusal to the next attempt.
"""

import asyncio
import math
from itertools import pairwise

import grpc
import pytest
from pushback_clients import PLACE, READ, SOURCE, build_go, grpc_aio, grpc_go, grpc_sync
from pushback_server import refusing
from toolchains import call, demand

from execsvc.domain.errors import Fault, Reason

pytestmark = [pytest.mark.clients, pytest.mark.timeout(120)]

SUBJECT = "kraken:rest:key-1"
TIMEOUT_S = 8.0
LATE_SHARE, LATE_S = 0.10, 0.06  # the latter for a loaded machine
QUIET_S = 0.4  # longer than the library's own pause before its second attempt
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]


@pytest.fixture(scope="module")
def go_program(tmp_path_factory):
    return build_go(tmp_path_factory.mktemp("pushback"))


@pytest.fixture(params=["grpc.aio", "grpc", "go"])
def client(request):
    """One stock client, as an async function of target, method, time-out and policy."""
    if request.param == "go":
        return grpc_go(request.getfixturevalue("go_program"))
    return {"grpc.aio": grpc_aio, "grpc": grpc_sync}[request.param]


def limited(wait_s, reason=Reason.LOCAL_RATE_LIMITED):
    return Fault(reason, "the counter of the key is full", {"subject": SUBJECT}, retry_after_s=wait_s)


def waited(server):
    """Seconds from each refusal to the attempt that followed it."""
    return [later.at - at for at, later in zip(server.refused_at, server.arrivals[1:], strict=True)]


def kept(waits, named):
    """Whether each wait is the one named: never shorter, and later by a tenth at most."""
    return all(wait <= got <= wait * (1 + LATE_SHARE) + LATE_S for got, wait in zip(waits, named, strict=True))


@pytest.mark.parametrize("method", [READ, PLACE])
@pytest.mark.parametrize("wait_s", [0.7, 0.43, 1.234])
async def test_the_second_attempt_comes_when_the_refusal_said(client, method, wait_s):
    """Refused once, then answered: two attempts, the second after the wait that was pushed back."""
    async with refusing(limited(wait_s)) as server:
        end = await client(server.target, method, TIMEOUT_S)
    assert (0, ["0", "1"]) == (end.code, [each.attempts_before for each in server.arrivals])
    assert kept(waited(server), [wait_s]), waited(server)
    assert (1 if method == PLACE else 0) == len(server.venue.accepted)


@pytest.mark.parametrize("method", [READ, PLACE])
async def test_each_refusal_names_its_own_wait(client, method):
    """Three refusals in a row: no wait is the library's own backoff, and the fourth attempt is answered."""
    named = [0.3, 0.9, 0.2]
    async with refusing(*map(limited, named)) as server:
        end = await client(server.target, method, TIMEOUT_S)
    assert (0, ["0", "1", "2", "3"]) == (end.code, [each.attempts_before for each in server.arrivals])
    assert kept(waited(server), named), waited(server)
    assert all(sooner.at < later.at for sooner, later in pairwise(server.arrivals))


@pytest.mark.parametrize(
    ("method", "fault", "id_used", "timeout_s"),
    [
        pytest.param(READ, limited(None), False, TIMEOUT_S, id="a read that waiting does not heal"),
        pytest.param(READ, limited(2.0), False, 1.5, id="a read without the time"),
        pytest.param(PLACE, limited(2.0), False, 1.5, id="an order without the time"),
        pytest.param(PLACE, limited(0.1, Reason.VENUE_RATE_LIMITED), True, TIMEOUT_S, id="an order whose id is used"),
    ],
)
async def test_what_is_forbidden_is_not_repeated(client, method, fault, id_used, timeout_s):
    """A pushback of -1: one attempt, and the caller has the refusal at once, with the wait where there is one."""
    async with refusing(fault, id_used=id_used) as server:
        end = await client(server.target, method, timeout_s)
        await asyncio.sleep(QUIET_S)
    assert (EXHAUSTED, "-1", round((fault.retry_after_s or 0) * 1e9)) == (end.code, end.pushback, end.retry_ns)
    assert 1 == len(server.arrivals)


@pytest.mark.parametrize("method", [READ, PLACE])
@pytest.mark.parametrize("wait_s", [0.7, 0.43, 1.234, 0.4321, 0.0004, 2.007])
async def test_retry_info_quota_failure_and_trailer_tell_one_figure(client, method, wait_s):
    """RetryInfo is exact, the trailer its next whole millisecond, QuotaFailure names the counter."""
    async with refusing(limited(wait_s)) as server:
        end = await client(server.target, method, TIMEOUT_S, policy=None)
    exact_ns = round(wait_s * 1e9)
    assert (EXHAUSTED, exact_ns, str(math.ceil(exact_ns / 1e6)), SUBJECT) == (
        end.code,
        end.retry_ns,
        end.pushback,
        end.subject,
    )
    assert 1 == len(server.arrivals)


def test_the_go_program_is_formatted():
    """Gofmt would change nothing in it."""
    demand("gofmt")
    assert "" == call("gofmt", "-l", SOURCE, cwd=SOURCE.parent)
