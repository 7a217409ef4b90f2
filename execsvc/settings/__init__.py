"""Settings: the command line, the environment and one TOML file become one frozen tree, or every problem at once.

A name or a key that is unknown is a problem: in a daemon that moves money a typo is not a warning. Secrets are not read here:
only where they are to be read from. No room below compose imports this one; each gets its few values.
"""

from execsvc.settings.accounts import KEYS
from execsvc.settings.reading import DOORS, STORE, Draft, from_sources, load, load_draft, read_config
from execsvc.settings.sources import ConfigText
from execsvc.settings.values import (
    AccountSettings,
    Address,
    CallerSettings,
    KeySource,
    Mode,
    Settings,
    SettingsRefused,
    TlsFiles,
    VenueUrls,
)
from execsvc.settings.venues import VENUE

__all__ = [
    "DOORS",
    "KEYS",
    "STORE",
    "VENUE",
    "AccountSettings",
    "Address",
    "CallerSettings",
    "ConfigText",
    "Draft",
    "KeySource",
    "Mode",
    "Settings",
    "SettingsRefused",
    "TlsFiles",
    "VenueUrls",
    "from_sources",
    "load",
    "load_draft",
    "read_config",
]
