"""The place of a database file: its directory, the file itself, and the lock that makes it ours alone.

The lock is an flock on a file beside the database: the kernel drops it when the process dies, however it dies. It is
honest on local disks only, and so is SQLite's shared memory, therefore network file systems are refused where the kernel
names them. Opening and reading the database is not done here.
"""

import fcntl
import os
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK_KINDS = (
    "nfs",
    "cifs",
    "smb",
    "afs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.s3fs",
    "lustre",
)


class StoreRefused(Exception):
    """The store cannot be opened; the message is one sentence for the person who starts the service."""


class Claim:
    """A database path that no other process can open, until released."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        self._file = _file(path)

    def is_in_place(self) -> bool:
        """Whether the path still leads to the file that was claimed: not moved, deleted or replaced. Raises OSError."""
        try:
            return self._file == _file(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def release(self) -> None:
        """Gives the path free. Harmless when repeated. The lock file stays: removing it would let two owners in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def claim(path: Path) -> Claim:
    """Makes directory (0700) and file (0600) where they are missing, and locks. Raises StoreRefused."""
    try:
        _make(path)
        kind = disk_kind(path)
        if kind.startswith(_NETWORK_KINDS):
            raise StoreRefused(f"{path} is on a network file system ({kind}): put the store on a local disk")
        return Claim(path, _lock(path, path.with_name(f"{path.name}.lock")))
    except OSError as error:
        raise StoreRefused(f"{error.filename or path} cannot be used for the store: {error.strerror}") from error


def disk_kind(path: Path) -> str:
    """The kind of file system that `path` lies on; empty where the kernel does not tell. Raises OSError."""
    return kind_in(_MOUNTS.read_text(), path.resolve()) if _MOUNTS.exists() else ""


def kind_in(mounts: str, path: Path) -> str:
    """The same by the text of Linux's mountinfo, for a path without links."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = Path(left.split()[4].replace("\\040", " "))
        # Of two mounts on one point the later one is in force.
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split()[0]
    return kind


def _file(path: Path) -> tuple[int, int]:
    """What tells a file from every other one of this machine."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _make(path: Path) -> None:
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync(path.parent.parent)
    if path.is_dir():
        raise StoreRefused(f"{path} is a directory: name a file for the store")
    # SQLite gives its side files the database's own mode, so this one call keeps all of them private.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    _sync(path.parent)


def _sync(directory: Path) -> None:
    """A new name survives a power cut only when its directory is synced."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(path: Path, beside: Path) -> int:
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreRefused(f"{path} is in use by process {owner}, which holds {beside}: stop it first") from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
