"""The path of a database: made private, locked, refused with a sentence."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from execsvc.store.place import StoreRefused, claim, disk_kind, kind_in

MOUNTS = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:40 / /mnt/share rw shared:7 - nfs4 server:/export rw
31 30 8:1 / /mnt/share/local rw - xfs /dev/sda rw
32 27 0:41 / /mnt/with\\040space rw - cifs //server/x rw
33 27 0:42 / /over rw - nfs server:/x rw
34 27 8:2 / /over rw - ext4 /dev/sdb rw
"""


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_directory_and_files_are_private(tmp_path):
    """What is made is for its owner alone: the directory, the file, the lock."""
    path = tmp_path / "new" / "state" / "x.db"
    claim(path).release()
    assert (0o700, 0o600, 0o600) == (mode(path.parent), mode(path), mode(path.with_name("x.db.lock")))


def test_a_claimed_path_is_refused_naming_its_owner(tmp_path):
    """A second claim says who holds the file and by what."""
    path = tmp_path / "x.db"
    held = claim(path)
    with pytest.raises(StoreRefused, match=rf"x\.db is in use by process {os.getpid()}, which holds .*x\.db\.lock"):
        claim(path)
    held.release()


def test_a_released_path_can_be_claimed_again(tmp_path):
    """Releasing is enough, and harmless when repeated."""
    path = tmp_path / "x.db"
    held = claim(path)
    held.release()
    held.release()
    claim(path).release()


@pytest.mark.process
def test_a_path_is_free_when_its_owner_died(tmp_path):
    """The kernel lets go of a dead process's lock: nobody has to clean up."""
    path = tmp_path / "x.db"
    code = "import os,sys,pathlib; from execsvc.store.place import claim; claim(pathlib.Path(sys.argv[1])); os._exit(9)"
    assert 9 == subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode
    claim(path).release()


@pytest.mark.process
def test_a_path_held_by_another_process_is_refused(tmp_path):
    """The lock holds between processes, not only within one."""
    path = tmp_path / "x.db"
    held = claim(path)
    code = "import sys,pathlib; from execsvc.store.place import claim; claim(pathlib.Path(sys.argv[1]))"
    ran = subprocess.run([sys.executable, "-c", code, str(path)], check=False, capture_output=True, text=True)
    assert f"in use by process {os.getpid()}" in ran.stderr
    held.release()


def test_a_directory_is_no_store(tmp_path):
    """A path that is a directory is refused in words."""
    with pytest.raises(StoreRefused, match="is a directory"):
        claim(tmp_path)


def test_a_place_that_cannot_be_made_is_refused(tmp_path):
    """A file where a directory should be: the sentence names it and the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreRefused, match=r"file.* cannot be used for the store: Not a directory"):
        claim(tmp_path / "file" / "x.db")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/x.db", "ext4"),
        ("/mnt/share/x.db", "nfs4"),
        ("/mnt/share/local/x.db", "xfs"),
        ("/mnt/shared/x.db", "ext4"),
        ("/mnt/with space/x.db", "cifs"),
        ("/over/x.db", "ext4"),
    ],
)
def test_the_mount_that_holds_a_path_decides(path, kind):
    """The longest mount point above a path counts, the later of two on one point."""
    assert kind == kind_in(MOUNTS, Path(path))


def test_without_a_mount_table_no_kind_is_made_up(tmp_path, monkeypatch):
    """On other systems there is none: no kind is told, and nothing is held against the path."""
    monkeypatch.setattr("execsvc.store.place._MOUNTS", tmp_path / "missing")
    assert "" == disk_kind(tmp_path)
    claim(tmp_path / "x.db").release()


def test_a_network_mount_is_refused(tmp_path, monkeypatch):
    """The store does not start where locks and fsync are not honest."""
    table = tmp_path / "mountinfo"
    table.write_text(f"27 1 0:40 / {tmp_path} rw - nfs4 server:/export rw\n")
    monkeypatch.setattr("execsvc.store.place._MOUNTS", table)
    with pytest.raises(StoreRefused, match=r"network file system \(nfs4\)"):
        claim(tmp_path / "x.db")
