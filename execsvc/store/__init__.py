"""Durable memory: orders, their journal and stories, fills, facts, nonce ranges, the audit log, behind ports.Store.

`sqlite.open_sqlite` opens the embedded store, `memory.MemoryStore` is its twin without a disk. What a write means is
decided once for both in `batch`; the engines only find rows and keep them. Kraken and the use cases are unknown here.
"""
