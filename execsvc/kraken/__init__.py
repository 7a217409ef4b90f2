"""The adapter to Kraken's spot API: domain words in, Kraken's words out, and back.

Kraken's spellings, error texts, nonces and checksums live here and nowhere else. It meets ports.PublicVenue and
ports.PrivateVenue, opens no socket itself (ports.Http, ports.WsDialer) and knows no use case.
"""
