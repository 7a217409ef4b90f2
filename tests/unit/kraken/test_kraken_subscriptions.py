"""Subscriptions: whatever is wished and un-wished, Kraken ends up with the wish, in bounded bursts, never twice."""

from hypothesis import given
from hypothesis import strategies as st

from execsvc.kraken.subscriptions import ANSWER_S, PER_SECOND, QUIET_S, SLOW_DOWN_S, SYMBOLS_MAX, Key, Subscriptions

TICKER = Key("ticker", "BTC/USD")
BOOK = Key("book", "BTC/USD")


class Venue:
    """Kraken's side: which subscriptions stand; answers come when the test says so."""

    def __init__(self):
        self.standing = {}
        self.owed = []

    def hear(self, requests):
        for request in requests:
            for symbol in request.symbols:
                key = Key(request.channel, symbol, request.interval)
                if request.method == "subscribe":
                    assert key not in self.standing, f"{key} is subscribed twice"
                    self.standing[key] = request.depth
                else:
                    assert self.standing.pop(key, None) is not None, f"{key} was not subscribed"
                self.owed.append((request, symbol))


def settled(subscriptions, venue, now):
    """Answers everything until nothing is asked any more; the time then."""
    for _ in range(500):
        requests = subscriptions.due(now)
        venue.hear(requests)
        for request, symbol in venue.owed:
            subscriptions.answered(request.req_id, symbol, error="", now=now)
            if request.method == "subscribe":
                subscriptions.data(Key(request.channel, symbol, request.interval), snapshot=True)
        if not requests and not venue.owed:
            return now
        venue.owed.clear()
        now += 0.25
    raise AssertionError("the requests never end")


KEYS = st.sampled_from(
    [Key(channel, symbol) for channel in ("ticker", "book", "trade") for symbol in "ABCD"]
    + [Key("ohlc", symbol, interval) for symbol in "AB" for interval in (1, 5)]
)
WISHES = st.dictionaries(KEYS, st.sampled_from([10, 100]), max_size=8)


@given(st.lists(st.one_of(WISHES, KEYS), max_size=10), st.booleans())
def test_the_wish_is_what_stands_in_the_end(acts, hasty):
    """Any run of wishes and renewals, answered at once or not: no double subscription, and the last wish stands."""
    subscriptions, venue, now, wish = Subscriptions(), Venue(), 0.0, {}
    for act in acts:
        if isinstance(act, dict):
            wish = act
            subscriptions.want(wish)
        else:
            subscriptions.renew(act)
        now = now + 0.01 if hasty else settled(subscriptions, venue, now)
        venue.hear(subscriptions.due(now))
    settled(subscriptions, venue, now + 1.0)
    assert wish == venue.standing


TRADE = Key("trade", "BTC/USD")


def test_each_interval_of_a_symbol_is_a_subscription_of_its_own():
    """Candles of 1 and of 5 minutes stand side by side; an answer speaks for the interval that was asked for."""
    subscriptions = Subscriptions()
    one, five = Key("ohlc", "A", 1), Key("ohlc", "A", 5)
    subscriptions.want({one: 0, five: 0})
    asked = subscriptions.due(0.0)
    assert [(1, ("A",)), (5, ("A",))] == [(each.interval, each.symbols) for each in asked]
    (refusal,) = subscriptions.answered(asked[1].req_id, "A", error="not supported", now=0.1)
    assert (five, True, False) == (
        refusal.key,
        subscriptions.data(one, snapshot=True),
        subscriptions.data(five, snapshot=True),
    )


def test_a_confirmed_key_that_stays_quiet_is_live():
    """A market without trades sends no rows: after a second that counts as its snapshot, once."""
    subscriptions = Subscriptions()
    subscriptions.want({TRADE: 0})
    (asked,) = subscriptions.due(0.0)
    subscriptions.answered(asked.req_id, "BTC/USD", error="", now=0.5)
    found = [subscriptions.quiet(at) for at in (0.5 + QUIET_S / 2, 0.5 + QUIET_S, 9.0)]
    assert [[], [TRADE], []] == found
    assert subscriptions.due(9.0) == []


def test_a_key_that_nobody_confirmed_is_not_quiet():
    """Silence without a confirmation means nothing: it is asked for again."""
    subscriptions = Subscriptions()
    subscriptions.want({TRADE: 0})
    subscriptions.due(0.0)
    assert subscriptions.quiet(ANSWER_S) == []
    assert [each.method for each in subscriptions.due(ANSWER_S)] == ["unsubscribe"]


def test_books_and_tickers_are_never_taken_for_quiet():
    """They always have a picture: one that does not come is asked for again."""
    subscriptions = Subscriptions()
    subscriptions.want({TICKER: 0, BOOK: 10})
    for asked in subscriptions.due(0.0):
        subscriptions.answered(asked.req_id, "BTC/USD", error="", now=0.1)
    assert subscriptions.quiet(4.0) == []


def test_bursts_are_bounded():
    """Hundreds of symbols leave in messages of 25, at most 20 messages a second."""
    subscriptions = Subscriptions()
    subscriptions.want({Key("ticker", f"S{number}"): 0 for number in range(1200)})
    first = subscriptions.due(0.0)
    assert (PER_SECOND, PER_SECOND * SYMBOLS_MAX) == (len(first), sum(len(each.symbols) for each in first))
    assert subscriptions.due(0.5) == []
    assert subscriptions.next_timer(0.5) == 1.0
    assert len(subscriptions.due(1.0)) == PER_SECOND


def test_one_request_names_one_channel_and_depth():
    """Books of two depths are two messages."""
    subscriptions = Subscriptions()
    subscriptions.want({Key("book", "A"): 10, Key("book", "B"): 100, Key("ticker", "A"): 0})
    assert [("book", 10, ("A",)), ("book", 100, ("B",)), ("ticker", 0, ("A",))] == [
        (each.channel, each.depth, each.symbols) for each in subscriptions.due(0.0)
    ]


def test_data_counts_from_the_first_snapshot():
    """An update that overtakes its snapshot is nothing yet."""
    subscriptions = Subscriptions()
    subscriptions.want({BOOK: 10})
    subscriptions.due(0.0)
    assert [False, True, True] == [subscriptions.data(BOOK, snapshot=each) for each in (False, True, False)]


def test_data_of_a_given_up_subscription_does_not_count():
    """From the moment it is renewed until Kraken has confirmed and answered anew."""
    subscriptions = Subscriptions()
    subscriptions.want({BOOK: 10})
    subscriptions.due(0.0)
    subscriptions.data(BOOK, snapshot=True)
    subscriptions.renew(BOOK)
    assert not subscriptions.data(BOOK, snapshot=False)
    (leaving,) = subscriptions.due(0.1)
    assert not subscriptions.data(BOOK, snapshot=True)
    assert subscriptions.due(0.2) == []
    subscriptions.answered(leaving.req_id, "BTC/USD", error="", now=0.3)
    (again,) = subscriptions.due(0.3)
    assert (("unsubscribe", "subscribe"), True) == (
        (leaving.method, again.method),
        subscriptions.data(BOOK, snapshot=True),
    )


def test_data_at_another_depth_than_wished_does_not_count():
    """As soon as the wish has changed."""
    subscriptions = Subscriptions()
    subscriptions.want({BOOK: 10})
    subscriptions.due(0.0)
    subscriptions.data(BOOK, snapshot=True)
    subscriptions.want({BOOK: 100})
    assert not subscriptions.data(BOOK, snapshot=False)


def test_failed_unsubscribe_counts_as_gone():
    """On the way out, "Subscription Not Found" is what was wanted."""
    subscriptions = Subscriptions()
    subscriptions.want({TICKER: 0})
    subscriptions.due(0.0)
    subscriptions.renew(TICKER)
    (leaving,) = subscriptions.due(0.1)
    assert subscriptions.answered(leaving.req_id, "BTC/USD", error="Subscription Not Found", now=0.2) == []
    assert [each.method for each in subscriptions.due(0.2)] == ["subscribe"]


def test_refused_key_is_asked_again_only_when_wished_anew():
    """The refusal comes out once; the same wish repeated asks nothing."""
    subscriptions = Subscriptions()
    subscriptions.want({TICKER: 0, BOOK: 10})
    asked = {each.channel: each for each in subscriptions.due(0.0)}
    (refusal,) = subscriptions.answered(asked["ticker"].req_id, "BTC/USD", error="not supported", now=0.1)
    assert (TICKER, "not supported") == (refusal.key, refusal.why)
    subscriptions.want({TICKER: 0, BOOK: 10})
    assert subscriptions.due(0.2) == []
    subscriptions.want({BOOK: 10})
    subscriptions.want({TICKER: 0, BOOK: 10})
    assert [each.channel for each in subscriptions.due(0.3)] == ["ticker"]


def test_refusal_survives_a_reconnect():
    """A new connection does not ask in vain again."""
    subscriptions = Subscriptions()
    subscriptions.want({TICKER: 0})
    (asked,) = subscriptions.due(0.0)
    subscriptions.answered(asked.req_id, "", error="not supported", now=0.1)
    subscriptions.opened()
    assert subscriptions.due(1.0) == []


def test_error_without_a_symbol_speaks_for_the_whole_request():
    """All its keys are refused."""
    subscriptions = Subscriptions()
    subscriptions.want({Key("ticker", "A"): 0, Key("ticker", "B"): 0})
    (asked,) = subscriptions.due(0.0)
    refusals = subscriptions.answered(asked.req_id, "", error="Subscription name invalid", now=0.1)
    assert [Key("ticker", "A"), Key("ticker", "B")] == [each.key for each in refusals]


def test_exceeded_message_rate_slows_down():
    """An error that names no request: nothing is sent for a while, then it goes on."""
    subscriptions = Subscriptions()
    subscriptions.want({TICKER: 0})
    subscriptions.answered(None, "", error="Exceeded msg rate", now=0.0)
    assert subscriptions.due(SLOW_DOWN_S / 2) == []
    assert len(subscriptions.due(SLOW_DOWN_S)) == 1


def test_unanswered_request_is_repeated():
    """No data within the time: given up, then asked anew; an unanswered goodbye counts as gone."""
    subscriptions = Subscriptions()
    subscriptions.want({TICKER: 0})
    subscriptions.due(0.0)
    assert subscriptions.next_timer(1.0) == ANSWER_S
    assert [each.method for each in subscriptions.due(ANSWER_S)] == ["unsubscribe"]
    assert [each.method for each in subscriptions.due(2 * ANSWER_S)] == ["subscribe"]


def test_renewal_may_be_put_off():
    """Given up at once, asked again not before its time."""
    subscriptions = Subscriptions()
    subscriptions.want({BOOK: 10})
    subscriptions.due(0.0)
    subscriptions.data(BOOK, snapshot=True)
    subscriptions.renew(BOOK, not_before=5.0)
    (leaving,) = subscriptions.due(0.1)
    subscriptions.answered(leaving.req_id, "BTC/USD", error="", now=0.2)
    assert subscriptions.due(4.9) == []
    assert subscriptions.next_timer(4.9) == 5.0
    assert [each.method for each in subscriptions.due(5.0)] == ["subscribe"]
