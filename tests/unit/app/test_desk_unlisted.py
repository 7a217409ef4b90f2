"""Orders of a pair that is not listed: a known id is answered whatever became of it."""

import pytest

from tests.support.world import ME, limit
from tests.unit.app.desk_parts import in_world, place, refused
from tests.unit.app.risk_parts import timing

UNLISTED = "UNKNOWN_SYMBOL"


@pytest.mark.parametrize("many", [False, True], ids=["one", "batch"])
def test_a_repeat_is_answered_although_its_pair_is_gone(many):
    """Delisted since, or not read yet after a restart: that the id is free would be a lie."""

    async def scenario(here):
        names = ("c-1", "c-2")
        for name in names:
            await place(here, name)
        here.house.catalog._spellings.clear()
        if many:
            rows = await here.desk.place_many(ME, [(name, limit()) for name in names], timing(here))
        else:
            rows = [await place(here, name) for name in names]
        assert ([True, True], 2) == ([each.replayed for each in rows], len(here.venue.sends))

    in_world(scenario)


def test_a_new_order_of_such_a_pair_is_refused_and_its_id_free():
    """In a batch by itself, where the other row is known."""

    async def scenario(here):
        await place(here, "c-1")
        here.house.catalog._spellings.clear()
        alone = await refused(here, "c-2")
        known, new = await here.desk.place_many(ME, [("c-1", limit()), ("c-2", limit())], timing(here))
        assert [(UNLISTED, "false")] * 2 == [(each.reason.name, each.metadata["id_used"]) for each in (alone, new)]
        assert (True, 1) == (known.replayed, len(here.venue.sends))

    in_world(scenario)


def test_a_known_id_with_other_content_is_a_conflict_all_the_same():
    """Its pair being gone does not make it free."""

    async def scenario(here):
        await place(here, "c-1")
        here.house.catalog._spellings.clear()
        fault = await refused(here, "c-1", spec=limit("0.002"))
        assert ("CLIENT_ORDER_ID_REUSED", "true") == (fault.reason.name, fault.metadata["id_used"])

    in_world(scenario)
