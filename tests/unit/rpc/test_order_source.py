"""What the order stream tells of itself."""

from execsvc.app.orders import OrderFilter, OrderReader
from execsvc.domain.market import FeedState
from execsvc.ports import JournalEntry
from execsvc.rpc.follow import BUFFERED, OrderSource
from execsvc.store.disk import Disk
from execsvc.store.memory import MemoryStore
from tests.support.entropy import SeededEntropy
from tests.support.simloop import SimClock, run_sim


def test_heartbeat_tells_how_much_of_the_journal_waits():
    """What came since the reader was here and was not read yet is its queue: that is what an operator sees as lag."""

    async def main():
        clock = SimClock()
        reader = OrderReader("main", 3, OrderFilter("me"), MemoryStore(Disk.blank(SeededEntropy(1))), clock, head=3)
        source = OrderSource(
            reader=reader,
            shown=(),
            fresh=False,
            symbols=(),
            journal_id="j",
            account="main",
            max_buffered=BUFFERED,
            private_state=lambda: FeedState.LIVE,
        )
        for sequence in (4, 5):
            reader.notice(JournalEntry(sequence))
        return source.heartbeat().queue_depth

    assert run_sim(main()) == 2
