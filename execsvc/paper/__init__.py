"""The paper exchange: Kraken's spot REST and WebSocket v2 wire, spoken by a stand-in on loopback.

Sealed on purpose. It imports nothing of the house, so an adapter that passes against it has been checked by
something that was written a second time, from the exchange's documents alone. `exchange.PaperExchange` is the
whole exchange without sockets or clocks, `server.PaperServer` puts it on loopback; docs/paper.md says what it
models and what it does not.
"""
