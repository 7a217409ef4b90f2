"""An account that is opened as the product opens it, over a scripted venue in virtual time."""

from execsvc.app.keywatch import KeyTerms
from execsvc.app.opening import Opening
from tests.support.simloop import run_sim
from tests.support.world import World, new_disk


class Opened:
    """An account that is opened as the product opens it, over the scripted venue."""

    def __init__(self, here, *, volatile_venue=False, **terms):
        self.here = here
        self.phases, self.warnings = [], []
        self.opening = Opening(
            here.house,
            clock=here.clock,
            tasks=here.tasks,
            terms=KeyTerms(**terms),
            phase=self.phases.append,
            warn=self.warnings.append,
            volatile_venue=volatile_venue,
        )

    async def open(self):
        return await self.opening.open(5.0)


def opened(scenario, *, disk=None, venue=None, **terms):
    async def main():
        here = World(disk or new_disk(), venue=venue)
        here.venue.events = _silence(here)
        account = Opened(here, **terms)
        try:
            return await scenario(here, account)
        finally:
            await here.kill()
            assert here.tasks.failures == []

    return run_sim(main())


def _silence(here):
    async def events():
        await here.clock.sleep(10_000_000)
        yield None

    return events
