"""A seeded storm of crashes and mishaps: when it is over every id has one definite answer, and the exchange agrees.

CRASH_SECONDS says how long it rages (20), CRASH_SEED which sequence comes (1). The named points, one by one, are
test_crash_matrix.py.
"""

import os
import time
from collections import Counter

import pytest

from execsvc.app.visibility import VISIBILITY_S
from tests.fault.callers import client_of, findings
from tests.fault.crash_stories import AFTER_S, RESOLVED_S
from tests.fault.lives import exchange_in, gateway_on
from tests.fault.storm import Crowd, Storm

SECONDS = float(os.environ.get("CRASH_SECONDS", "20"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
BLOWS_LEAST_PER_S = 0.25

pytestmark = [pytest.mark.process, pytest.mark.timeout(SECONDS + 300)]


def test_after_a_storm_every_id_is_one_order_or_none_and_its_caller_knows_which(tmp_path, nursery, tell):
    """Killed, stopped and lied to at random: no id stands for two orders, no answer is wrong, nothing stays in doubt."""
    with exchange_in(tmp_path, nursery) as exchange, gateway_on(tmp_path, nursery, exchange) as gateway:
        gateway.start()
        gateway.serving()
        crowd, storm = Crowd(gateway, SEED), Storm(gateway, exchange, SEED)
        storm.rage(SECONDS)
        over = time.time()
        crowd.stop()
        settled_s = time.time() - over
        with client_of(gateway.target) as client:
            visibility_s = float(client.server_info().settings["visibility_bound_s"])
        time.sleep(AFTER_S)
        wrong = [*storm.wrong, *findings(exchange, gateway, crowd.answers)]
        fates = Counter(answer.word for answer in crowd.answers if answer.definite)
        tell(f"storm of seed {SEED}, {SECONDS:g} s: {storm.blows.total()} blows, {dict(sorted(storm.blows.items()))}")
        tell(
            f"  {fates['placed']} placed, {fates['absent']} absent, all known after {settled_s:.1f} s; V {visibility_s:g} s"
        )
        assert wrong == [], gateway.story
        assert crowd.undecided == []
        # V doubles when orders become visible late, and negatives take as much longer.
        assert crowd.later_than(over + RESOLVED_S["absent"] + visibility_s - VISIBILITY_S) == []
        assert gateway.life.stop() == 0
    assert storm.blows.total() >= BLOWS_LEAST_PER_S * SECONDS
    assert fates["placed"] > 0
