"""The rooms that amend orders, put together for one account: who needs whom, as house.py does for the rest.

Nothing starts here: app/opening.py takes over what an earlier life left and runs the loop.
"""

from execsvc.app.amenddoubts import AmendDoubts
from execsvc.app.amends import Amends
from execsvc.app.amendsend import AmendSender
from execsvc.app.amendturns import AmendTurns
from execsvc.app.catalog import Catalog
from execsvc.app.chronicle import Chronicle
from execsvc.app.desk import Desk
from execsvc.app.owner import Owner
from execsvc.app.sightings import Sightings
from execsvc.app.switch import Switch
from execsvc.app.visibility import Visibility
from execsvc.domain.amend import AmendKey
from execsvc.ports import Clock, PrivateVenue, Store, Tasks
from execsvc.telemetry import Telemetry


def amends_of(
    *,
    venue: PrivateVenue,
    store: Store,
    catalog: Catalog,
    desk: Desk,
    chronicle: Chronicle,
    sightings: Sightings,
    switch: Switch,
    owner: Owner,
    visibility: Visibility,
    clock: Clock,
    tasks: Tasks,
    telemetry: Telemetry,
) -> Amends:
    """Builds them."""
    flying: set[AmendKey] = set()
    doubts = AmendDoubts(
        account=desk.account,
        venue=venue,
        store=store,
        chronicle=chronicle,
        visibility=visibility,
        clock=clock,
        telemetry=telemetry,
        flying=flying,
    )
    sender = AmendSender(
        venue=venue,
        store=store,
        chronicle=chronicle,
        sightings=sightings,
        doubts=doubts,
        owner=owner,
        switch=switch,
        flying=flying,
        clock=clock,
        tasks=tasks,
        telemetry=telemetry,
    )
    return Amends(
        desk=desk,
        venue=venue,
        store=store,
        catalog=catalog,
        sender=sender,
        doubts=doubts,
        turns=AmendTurns(store, clock),
        clock=clock,
        telemetry=telemetry,
    )
