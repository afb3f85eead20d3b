from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from agent.checks.disk import THREADS_MAX, Check, Options
from tests.agent.this_machine import has_a_root
from tests.conftest import Needs

ROOT_STAT = os.statvfs("/")

CONTAINERS = """\
overlay / overlay rw,relatime,lowerdir=/var/lib/docker/overlay2/l/A 0 0
proc /proc proc rw,nosuid 0 0
tmpfs /dev tmpfs rw,nosuid,size=65536k 0 0
/dev/vda1 /etc/resolv.conf ext4 rw,relatime 0 0
/dev/vda1 /etc/hosts ext4 rw,relatime 0 0
/dev/vdb1 /data ext4 rw,relatime 0 0
"""
DOCKER_HOST = """\
/dev/mapper/vg-root / ext4 rw,relatime,errors=remount-ro 0 0
/dev/nvme0n1p2 /boot ext4 rw,relatime 0 0
/dev/nvme0n1p1 /boot/efi vfat rw,relatime 0 0
overlay /var/lib/docker/overlay2/abc/merged overlay rw,relatime 0 0
/dev/mapper/vg-root /var/lib/docker/volumes/x/_data ext4 rw,relatime 0 0
tmpfs /run tmpfs rw 0 0
tmpfs /tmp tmpfs rw 0 0
/dev/loop3 /snap/core22/1122 squashfs ro,nodev 0 0
/dev/sr0 /media/cdrom iso9660 ro 0 0
/dev/sda1 /srv/my\\040files xfs ro,relatime 0 0
"""
MANY_WAYS = """\
/dev/sda2 / btrfs rw,subvol=/@ 0 0
/dev/sda2 /home btrfs rw,subvol=/@home 0 0
tank /tank zfs rw 0 0
tank/media /tank/media zfs rw 0 0
/dev/sdb1 /mnt/usb fuseblk rw 0 0
/dev/sdc1 /mnt/deep/down ext4 rw 0 0
/dev/sdc1 /mnt/up ext4 rw 0 0
nas:/export /mnt/nas nfs4 rw 0 0
//pc/share /mnt/pc cifs rw 0 0
me@there: /mnt/there fuse.sshfs rw 0 0
/dev/fuse /etc/pve fuse rw 0 0
portal /run/user/1000/doc fuse.portal rw 0 0
tmpfs /mnt/scratch tmpfs rw 0 0
tmpfs /mnt/ram tmpfs rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the kernel's table of mounts say what a test wants."""
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    (tmp_path / "self").mkdir()

    def write(table: str) -> None:
        (tmp_path / "self" / "mounts").write_text(table)
        rows = [line.split(" ") for line in table.splitlines()]
        infos = [
            f"1 0 8:1 / {path} rw - {kind} {device} {options}" for device, path, kind, options, *_ in rows
        ]
        (tmp_path / "self" / "mountinfo").write_text("\n".join(infos))

    return write


class Disks:
    """What answers for each path: like the root at once, or only when told to."""

    def __init__(self, *hanging: str) -> None:
        self.hanging = {path: threading.Event() for path in hanging}
        self.asked: list[str] = []

    def __call__(self, path: str) -> os.statvfs_result:
        self.asked.append(path)
        if path in self.hanging:
            assert self.hanging[path].wait(20)
        return ROOT_STAT


def reported(samples: dict[str, float | None]) -> list[str]:
    return [name.split('"')[1] for name in samples if name.startswith("disk_readonly")]


def df(*columns: str) -> list[int]:
    command = ["df", "--block-size=1", f"--output={','.join(columns)}", "/"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1]
    return [int(field.rstrip("%")) for field in told.split()]


def test_the_root_agrees_with_df(needs: Needs) -> None:
    needs.that(has_a_root(), "needs a / that is a mount, which a chroot has not")
    samples = Check(Options()).measure(0.0).samples
    size, used, free, used_pct, inodes_pct = df("size", "used", "avail", "pcent", "ipcent")
    assert samples['disk_total_bytes{mount="/"}'] == size
    assert samples['disk_used_bytes{mount="/"}'] == pytest.approx(used, abs=64 * 2**20)
    assert samples['disk_free_bytes{mount="/"}'] == pytest.approx(free, abs=64 * 2**20)
    # df rounds a percentage up.
    assert samples['disk_used_pct{mount="/"}'] == pytest.approx(used_pct - 0.5, abs=0.7)
    assert samples['disk_inodes_used_pct{mount="/"}'] == pytest.approx(inodes_pct - 0.5, abs=0.7)
    assert samples['disk_readonly{mount="/"}'] == 0


@pytest.mark.parametrize(
    ("table", "options", "expected"),
    [
        pytest.param(
            CONTAINERS, Options(), ["/", "/data"], id="in a container: its root though overlay, its volumes"
        ),
        pytest.param(
            DOCKER_HOST,
            Options(),
            ["/", "/boot", "/boot/efi", "/srv/my files"],
            id="on a host of containers and snaps: its disks only",
        ),
        pytest.param(
            MANY_WAYS,
            Options(),
            ["/", "/mnt/up", "/mnt/usb", "/tank", "/tank/media"],
            id="a disk that is mounted twice: once, under its shorter path",
        ),
        pytest.param(
            MANY_WAYS,
            Options(network_mounts=True, exclude_mounts=("/tank*", "/run/*", "/etc/*", "/mnt/up")),
            ["/", "/mnt/deep/down", "/mnt/nas", "/mnt/pc", "/mnt/there", "/mnt/usb"],
            id="network disks when told so",
        ),
        pytest.param(
            MANY_WAYS,
            Options(include_mounts=("/mnt/ram", "/mnt/scratch", "/home")),
            ["/home", "/mnt/ram", "/mnt/scratch"],
            id="what is included by name, of whatever kind",
        ),
    ],
)
def test_which_mounts_are_reported(
    mounts: Callable[[str], None], table: str, options: Options, expected: list[str]
) -> None:
    mounts(table)
    assert reported(Check(options, Disks()).measure(0.0).samples) == expected


def test_a_disk_that_became_read_only_shows(mounts: Callable[[str], None]) -> None:
    mounts(DOCKER_HOST)
    samples = Check(Options(), Disks()).measure(0.0).samples
    assert samples['disk_readonly{mount="/"}'] == 0
    assert samples['disk_readonly{mount="/srv/my files"}'] == 1


def test_a_mount_that_is_read_only_for_us_alone_does_not_show(
    tmp_path: Path, mounts: Callable[[str], None]
) -> None:
    mounts("/dev/sda1 / ext4 ro,nosuid 0 0\n")
    info = "630 604 254:0 / / ro,nosuid,relatime shared:9 master:1 - ext4 /dev/sda1 rw,discard\n"
    (tmp_path / "self" / "mountinfo").write_text(info)
    assert Check(Options(), Disks()).measure(0.0).samples['disk_readonly{mount="/"}'] == 0


def test_what_is_mounted_over_another_hides_it(mounts: Callable[[str], None]) -> None:
    mounts(
        "/dev/sda1 / ext4 rw 0 0\nauto /mnt autofs rw 0 0\n/dev/sdb1 /mnt ext4 rw 0 0\n/dev/sdc1 /mnt xfs ro 0 0\n"
    )
    assert Check(Options(), Disks()).measure(0.0).samples['disk_readonly{mount="/mnt"}'] == 1


def test_what_only_looks_like_a_disk_has_no_series() -> None:
    found = Check(Options(include_mounts=("/proc",))).measure(0.0)
    assert found.samples == {}
    assert found.state == "ok"


def test_a_mount_that_hangs_has_no_values_and_hides_no_other(mounts: Callable[[str], None]) -> None:
    mounts("/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /bad ext4 rw 0 0\n/dev/sdc1 /good ext4 rw 0 0\n")
    disks = Disks("/bad")
    check = Check(Options(mount_timeout_s=0.5), disks)

    began = time.monotonic()
    found = check.measure(0.0)
    assert time.monotonic() - began < 1.5
    assert found.samples['disk_used_pct{mount="/good"}'] is not None
    assert found.samples['disk_used_pct{mount="/bad"}'] is None
    assert found.samples['disk_readonly{mount="/bad"}'] == 0
    assert (found.state, found.detail) == ("bad", "/bad does not answer")

    began = time.monotonic()
    assert check.measure(1.0).samples.keys() == found.samples.keys()
    assert time.monotonic() - began < 0.4, "a mount that is known to hang is not waited for again"
    assert disks.asked.count("/bad") == 1
    assert disks.asked.count("/good") == 2

    disks.hanging["/bad"].set()
    deadline = time.monotonic() + 5
    while check.measure(2.0).state == "bad":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert check.measure(3.0).samples['disk_used_pct{mount="/bad"}'] is not None


def test_many_mounts_that_hang_take_the_time_of_one(mounts: Callable[[str], None]) -> None:
    hanging = [f"/mnt/{number:02}" for number in range(THREADS_MAX + 4)]
    mounts(
        "/dev/sda1 / ext4 rw 0 0\n" + "".join(f"/dev/sd{path[-2:]} {path} ext4 rw 0 0\n" for path in hanging)
    )
    disks = Disks(*hanging)
    check = Check(Options(mount_timeout_s=1.5), disks)
    began = time.monotonic()
    found = check.measure(0.0)
    assert time.monotonic() - began < 3.0
    assert found.samples['disk_used_pct{mount="/"}'] is not None
    assert len(disks.asked) == 1 + THREADS_MAX, "the threads that may be lost have a limit"
    assert found.detail.count("does not answer") + found.detail.count("was not asked") == len(hanging)
    for event in disks.hanging.values():
        event.set()


@pytest.mark.parametrize(
    ("error", "state", "detail"),
    [
        (OSError(116, "Stale file handle"), "bad", "/mnt Stale file handle"),
        (OSError(5, "Input/output error"), "bad", "/mnt Input/output error"),
        (PermissionError(13, "Permission denied"), "ok", ""),
        (FileNotFoundError(2, "No such file or directory"), "ok", ""),
    ],
)
def test_a_mount_that_answers_with_an_error(
    mounts: Callable[[str], None], error: OSError, state: str, detail: str
) -> None:
    def ask(path: str) -> os.statvfs_result:
        if path == "/mnt":
            raise error
        return ROOT_STAT

    mounts("/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /mnt ext4 rw 0 0\n")
    found = Check(Options(), ask).measure(0.0)
    assert (found.state, found.detail) == (state, detail)
    assert found.samples['disk_used_pct{mount="/"}'] is not None
    assert found.samples.get('disk_used_pct{mount="/mnt"}') is None
    assert ('disk_used_pct{mount="/mnt"}' in found.samples) == (state == "bad")


def test_a_mount_may_not_take_the_time_of_the_whole_check() -> None:
    with pytest.raises(ValueError, match="mount_timeout must be shorter than timeout"):
        Options(timeout_s=1.0)
