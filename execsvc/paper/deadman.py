"""The dead man's switch: all orders end unless it is set anew in time. It strikes once, then it is off.

It only tells a setting that counts from one that is past; the timer and the cancelling are desk.py's.
"""


class DeadMan:
    """One account's switch. Each setting has a number, so that the timer of an earlier one finds that it is past."""

    def __init__(self) -> None:
        self._setting = 0

    def set(self) -> int:
        """Set it anew, to strike later or never; returns the number of this setting."""
        self._setting += 1
        return self._setting

    def strikes(self, setting: int) -> bool:
        """Tell whether that setting is the one that counts."""
        return setting == self._setting
