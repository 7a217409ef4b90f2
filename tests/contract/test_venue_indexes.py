"""Which pairs have an index price, as the adapter reads it from the exchange's instrument channel over a real socket."""

from venue_rig import BTC, opened

from execsvc.app.catalog import Catalog
from execsvc.paper.options import PaperOptions
from execsvc.paper.server import PaperServer
from execsvc.runtime.clock import RealClock
from execsvc.store.disk import Disk
from tests.support.entropy import SeededEntropy

OPTIONS = PaperOptions(control_port=0, pairs=("BTC/USD", "ETH/USD"), warm_up_s=10, tier="unlimited")


async def test_every_listed_pair_is_named_as_the_tables_name_it():
    """The channel's symbols are those of the catalog, so that each pair finds its own."""
    server = PaperServer(OPTIONS)
    await server.start()
    try:
        async with opened(server, Disk.blank(SeededEntropy(3))) as venue:
            listed = {each.symbol for each in await venue.public.instruments()}
            told = await venue.public.indexed()
            catalog = Catalog(venue.public, RealClock())
            await catalog.refresh()
            before = catalog.instrument(BTC).has_index
    finally:
        await server.close()
    assert (listed, {True}, None) == (set(told), set(told.values()), before)
