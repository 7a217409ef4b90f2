"""The gateway's settings for verbs that work on its files and start nothing: where its tokens are, where its store is.

What only a start needs is not asked for: the exchange's keys, which the shell of whoever takes a token back may not have, the
doors, and the largest order. Everything else is held to what serve would say.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from execsvc.settings import Settings

_STANDING_IN = {"EXECSVC_LISTEN": "127.0.0.1:50051", "EXECSVC_HTTP_LISTEN": "off", "EXECSVC_MAX_ORDER_NOTIONAL": "1"}
_KEYS_ELSEWHERE = {"CREDENTIALS_DIRECTORY": "/"}  # systemd's, and so of the service alone; nobody here looks into it


def settings_at_rest(environ: Mapping[str, str], overrides: Mapping[str, str]) -> "Settings":
    """The settings, `overrides` being the command line's; an empty one says nothing. Raises SettingsRefused."""
    from execsvc import settings

    given = {name: value for name, value in overrides.items() if value}
    return settings.load({**_KEYS_ELSEWHERE, **environ}, overrides=_STANDING_IN | given, dev=False)
