"""The audit of a store file as tests ask for it: what an auditor's own reader finds, by account."""

from execsvc.store.inspect import inspecting


def flaws_of(path):
    """Every account of which the file holds anything, and what is wrong with it: chain, tables, both in one look."""
    with inspecting(path) as store:
        return {account: store.verify(account).flaws for account in store.accounts()}
