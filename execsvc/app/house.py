"""One account's use cases, put together: who needs whom, in one place, from ports alone.

The composition root hands in the real adapters, a test or a simulation its own; the wiring is the same. Nothing starts here:
`Opening` (app/opening.py) brings it to life.
"""

from collections.abc import Callable
from dataclasses import dataclass

from execsvc.app.amendhouse import amends_of
from execsvc.app.amends import Amends
from execsvc.app.batchdesk import BatchDesk
from execsvc.app.batchsender import BatchSender
from execsvc.app.cancels import Cancels
from execsvc.app.catalog import Catalog
from execsvc.app.chronicle import Chronicle
from execsvc.app.clearing import Clearing
from execsvc.app.deadman import DeadMan
from execsvc.app.desk import VENUE_FLOOR_S
from execsvc.app.disconnects import Disconnects
from execsvc.app.executions import Executions
from execsvc.app.funds import Funds
from execsvc.app.masscancels import MassCancels, Reach
from execsvc.app.modeskept import AccountModes
from execsvc.app.onthewire import OnTheWire
from execsvc.app.owner import Owner
from execsvc.app.resolver import Resolver
from execsvc.app.risk import RiskDesk
from execsvc.app.sessions import Sessions
from execsvc.app.settlements import Settlements
from execsvc.app.sightings import Sightings
from execsvc.app.switch import Switch
from execsvc.app.visibility import VISIBILITY_S, Visibility
from execsvc.domain.ids import OrderKey
from execsvc.domain.market import FeedState
from execsvc.domain.modes import Scope
from execsvc.domain.order import LIVE, Order
from execsvc.ports import Clock, PrivateVenue, Store, Tasks
from execsvc.telemetry import Telemetry


@dataclass(frozen=True)
class Terms:
    """The figures of one account, in seconds: V at its start, Kraken's least deadline, the policy's dead man's switch."""

    visibility_s: float = VISIBILITY_S
    venue_floor_s: float = VENUE_FLOOR_S
    dead_man_s: int = 0


@dataclass(frozen=True)
class House:
    """The use cases of one account."""

    account: str
    venue: PrivateVenue
    store: Store
    catalog: Catalog
    chronicle: Chronicle
    switch: Switch
    modes: AccountModes
    owner: Owner
    visibility: Visibility
    resolver: Resolver
    cancels: Cancels
    settlements: Settlements
    desk: BatchDesk
    amends: Amends
    clearing: Clearing
    dead_man: DeadMan
    sessions: Sessions
    executions: Executions
    funds: Funds


def house(
    *,
    account: str,
    venue: PrivateVenue,
    store: Store,
    catalog: Catalog,
    risk: RiskDesk,
    clock: Clock,
    tasks: Tasks,
    telemetry: Telemetry,
    alarm: Callable[[str], None],
    terms: Terms,
) -> House:
    """Builds it. `alarm` hears, in words, of what a person must know at once."""
    chronicle = Chronicle(store, clock)
    risk.note = chronicle.note

    async def halted(scope: Scope, caller: str) -> int:
        """Cancels of a halt: recorded for each open order in scope, then pursued in the server's own time."""
        reach, entry = Reach(scope.caller or None, scope.symbol), modes.of(scope)
        why = None if entry is None else entry.cancels_because
        return (await mass.sweep(reach, clock.monotonic(), caller=caller, why=why)).requested

    wire = OnTheWire()
    modes = AccountModes(
        account=account,
        book=store,
        clock=clock,
        tasks=tasks,
        sweep=halted,
        on_the_wire=wire.holds,
    )
    switch = Switch(account, store, clock, tasks, alarm, modes=modes, wire=wire)
    sightings = Sightings(store, chronicle, switch, clock)
    owner = Owner(store, clock)
    flying: set[OrderKey] = set()
    visibility = Visibility(
        account=account,
        venue=venue,
        journal=store,
        facts=store,
        clock=clock,
        tasks=tasks,
        telemetry=telemetry,
        alarm=alarm,
        owner=owner,
        bound_s=terms.visibility_s,
    )

    def pursue_wish(order: Order) -> None:
        """A cancel that was asked for while nobody knew of the order."""
        if order.cancel_requested and order.status in LIVE:
            cancels.pursue(order)

    def accepted(order: Order) -> None:
        visibility.answered(order)
        pursue_wish(order)

    resolver = Resolver(
        account=account,
        venue=venue,
        journal=store,
        chronicle=chronicle,
        sightings=sightings,
        visibility=visibility,
        clock=clock,
        telemetry=telemetry,
        flying=flying,
        found=pursue_wish,
    )
    settlements = Settlements(store, clock)
    cancels = Cancels(
        account=account,
        venue=venue,
        journal=store,
        chronicle=chronicle,
        sightings=sightings,
        resolver=resolver,
        settlements=settlements,
        stream_live=lambda: executions.state is FeedState.LIVE,
        clock=clock,
        tasks=tasks,
        installation_secret=store.installation_secret,
    )
    mass = MassCancels(
        account=account,
        venue=venue,
        journal=store,
        chronicle=chronicle,
        sightings=sightings,
        resolver=resolver,
        settlements=settlements,
        stream_live=lambda: executions.state is FeedState.LIVE,
        clock=clock,
        tasks=tasks,
    )
    disconnects = Disconnects(clock, tasks, alarm)
    sender = BatchSender(
        venue=venue,
        store=store,
        chronicle=chronicle,
        sightings=sightings,
        resolver=resolver,
        owner=owner,
        switch=switch,
        flying=flying,
        accepted=accepted,
        clock=clock,
        tasks=tasks,
        telemetry=telemetry,
    )
    desk = BatchDesk(
        account=account,
        venue=venue,
        journal=store,
        catalog=catalog,
        sender=sender,
        cancels=cancels,
        settlements=settlements,
        risk=risk,
        switch=switch,
        clock=clock,
        telemetry=telemetry,
        venue_floor_s=terms.venue_floor_s,
    )
    funds = Funds(venue=venue, clock=clock, tasks=tasks, feed=lambda: executions.state)
    executions = Executions(
        account=account,
        venue=venue,
        journal=store,
        facts=store,
        clock=clock,
        telemetry=telemetry,
        sightings=sightings,
        visibility=visibility,
        funds=funds,
        pursue_wishes=cancels.pursue_wishes,
        alarm=alarm,
    )
    switch.venue_mode = lambda: executions.mode
    return House(
        account=account,
        venue=venue,
        store=store,
        catalog=catalog,
        chronicle=chronicle,
        switch=switch,
        modes=modes,
        owner=owner,
        visibility=visibility,
        resolver=resolver,
        cancels=cancels,
        settlements=settlements,
        desk=desk,
        amends=amends_of(
            venue=venue,
            store=store,
            catalog=catalog,
            desk=desk,
            chronicle=chronicle,
            sightings=sightings,
            switch=switch,
            owner=owner,
            visibility=visibility,
            clock=clock,
            tasks=tasks,
            telemetry=telemetry,
        ),
        clearing=Clearing(desk=desk, mass=mass, catalog=catalog, disconnects=disconnects),
        dead_man=DeadMan(
            account=account,
            venue=venue,
            facts=store,
            mass=mass,
            clock=clock,
            mode=lambda: executions.mode,
            alarm=alarm,
            policy_s=terms.dead_man_s,
        ),
        sessions=Sessions(account=account, journal=store, mass=mass, disconnects=disconnects),
        executions=executions,
        funds=funds,
    )
