"""execsvc: the execution gateway that owns a Kraken account's keys. Version only; imports nothing."""

__version__ = "0.1.0"
