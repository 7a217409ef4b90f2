"""What happened in a run, message by message: a hash that two runs of one seed share, and the story for who asks."""

import hashlib


class Trace:
    """Every message, commit and answer with its virtual time. `keep` holds the lines for telling."""

    def __init__(self, loop, *, keep=False):
        self._loop = loop
        self._hash = hashlib.blake2b(digest_size=16)
        self._keep = keep
        self.lines = []

    def note(self, who, mark, what=""):
        line = f"{self._loop.now:10.4f}  {who:<9} {mark} {what}"
        self._hash.update(line.encode())
        if self._keep:
            self.lines.append(line)

    @property
    def hash(self):
        return self._hash.hexdigest()
