"""How full each mounted disk is, in bytes and in inodes, and whether it can be written to.

A disk that is mounted more than once is reported once, under the shortest path. Free is what is left for users who are
not root, and used_pct is of what such a user could ever use, as df has it. A mount that hangs (a network disk whose
server is gone, a dying drive) does not hide the others: its series have no value until it answers again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Annotated, ClassVar

import psutil
from msgspec import Meta, Struct

from agent.checks import CheckOptions, Measured, chosen
from agent.checks._kernel import read
from agent.wire import series_name
from agent.workers import Job, Workers

THREADS_MAX = 64
"""Each mount that hangs keeps one, and when all are kept no mount at all can be asked."""
ALWAYS_FULL = {"squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs"}
"""Images that were made full and never change."""
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "virtiofs"}
NOT_OURS = ("/etc/*", "/snap/*", "/var/lib/docker/*", "/var/lib/containers/*", "/var/lib/kubelet/*")
SERIES = {
    "disk_used_pct": "How full a mounted disk is, of what users who are not root could ever use, as df has it.",
    "disk_used_bytes": "How much of a mounted disk is used.",
    "disk_free_bytes": "How much room a mounted disk has left for users who are not root.",
    "disk_total_bytes": "How large a mounted disk is.",
    "disk_inodes_used_pct": "How many of a mounted disk's inodes are used: how many more files it can hold.",
    "disk_readonly": "1 when a disk (not only one mount of it) is read-only, else 0.",
}
ESCAPED = re.compile(r"\\([0-7]{3})")
NO_VALUES: dict[str, float | None] = {
    "disk_used_pct": None,
    "disk_used_bytes": None,
    "disk_free_bytes": None,
    "disk_total_bytes": None,
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    include_mounts: patterns of the mounts to report and no others, of whatever kind; when left out, every disk
    exclude_mounts: patterns of disks to leave out, unless some are included; by default what containers mount
    network_mounts: true reports NFS, SMB, SSHFS and the like too
    mount_timeout: how long one mount may take to answer; shorter than timeout
    """

    include_mounts: tuple[str, ...] = ()
    exclude_mounts: tuple[str, ...] = NOT_OURS
    network_mounts: bool = False
    mount_timeout_s: Annotated[float, Meta(gt=0, le=60)] = 2.0

    by_default: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.mount_timeout_s >= self.timeout_s:
            raise ValueError(
                "mount_timeout must be shorter than timeout, or one mount that hangs hides all others"
            )


class Mount(Struct, frozen=True):
    """A file system and the path it is found at."""

    path: str
    device: str
    kind: str
    readonly: bool


class Check:
    def __init__(self, options: Options, ask: Callable[[str], os.statvfs_result] = os.statvfs) -> None:
        self._options = options
        self._ask = ask
        self._workers = Workers("disk", THREADS_MAX)
        self._hung: dict[str, Job[os.statvfs_result]] = {}
        self._mountinfo = ""
        self._mounts: list[Mount] = []

    def measure(self, at_s: float) -> Measured:
        mounts = self._wanted()
        jobs = self._asked([mount.path for mount in mounts])
        samples: dict[str, float | None] = {}
        faults = []
        for mount in mounts:
            try:
                values = values_of(jobs[mount.path])
            except (FileNotFoundError, PermissionError):
                continue  # unmounted a moment ago, or not for the eyes of this user
            except OSError as error:
                faults.append(f"{mount.path} {error.strerror or error}")
                values = NO_VALUES
            if values:
                label = {"mount": mount.path}
                samples[series_name("disk_readonly", label)] = float(mount.readonly)
                samples |= {series_name(metric, label): value for metric, value in values.items()}
        return Measured(samples, "bad" if faults else "ok", "; ".join(faults))

    def _wanted(self) -> list[Mount]:
        """The mounts to report, worked out anew when something was mounted or unmounted."""
        table = read(f"{psutil.PROCFS_PATH}/self/mountinfo", errors="surrogateescape")
        if table != self._mountinfo:
            self._mountinfo, self._mounts = table, wanted(mounted(table), self._options)
        return self._mounts

    def _asked(self, paths: list[str]) -> dict[str, Job[os.statvfs_result]]:
        """A call for each path, ended or not. A path whose last call has not come back is not asked again."""
        self._hung = {path: job for path, job in self._hung.items() if not job.ended}
        new = {
            path: Job(partial(self._ask, path), self._options.mount_timeout_s)
            for path in paths
            if path not in self._hung
        }
        self._workers.run(list(new.values()))
        self._hung |= {path: job for path, job in new.items() if job.started_s is not None and not job.ended}
        return new | self._hung


def mounted(mountinfo: str) -> Iterator[Mount]:
    """What /proc/self/mountinfo says is mounted.

    Whether a mount can be written to is asked of its file system, whose options come last: that one mount of it cannot
    means nothing. To a service that is not to write, systemd shows every disk so.
    """
    for line in mountinfo.splitlines():
        mount, _, file_system = line.partition(" - ")
        kind, device, options = file_system.split(" ", 2)
        path = plain_text(mount.split(" ", 5)[4])
        yield Mount(path, plain_text(device), kind, "ro" in options.split(","))


def plain_text(field: str) -> str:
    """A field without the octal numbers that the kernel writes for spaces and the like."""
    return ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), field) if "\\" in field else field


def wanted(mounts: Iterable[Mount], options: Options) -> list[Mount]:
    """The mounts to report: each path once, each device once."""
    seen = {mount.path: mount for mount in mounts}.values()  # what is mounted over another hides it
    by_device: dict[str, Mount] = {}
    for mount in sorted(seen, key=lambda mount: (len(mount.path), mount.path)):
        if chosen(mount.path, options.include_mounts, options.exclude_mounts) and (
            options.include_mounts or mount.path == "/" or is_disk(mount, options.network_mounts)
        ):
            # "tmpfs" or "overlay" names no device, and many file systems have it in common.
            by_device.setdefault(mount.device if "/" in mount.device else mount.path, mount)
    return sorted(by_device.values(), key=lambda mount: mount.path)


def is_disk(mount: Mount, network_mounts: bool) -> bool:
    if mount.kind in NETWORK or mount.kind == "fuse" or mount.kind.startswith("fuse."):
        return network_mounts
    return (mount.device.startswith("/dev/") or mount.kind == "zfs") and mount.kind not in ALWAYS_FULL


def values_of(job: Job[os.statvfs_result]) -> dict[str, float | None]:
    """What the call found; empty for what only looks like a disk. OSError: why there is no answer."""
    if job.started_s is None:
        raise OSError(f"was not asked, since {THREADS_MAX} others hang")
    if not job.ended:
        raise OSError("does not answer")
    if job.error is not None:
        raise job.error
    stat = job.result
    assert stat is not None
    if stat.f_blocks == 0:
        return {}
    used, free = stat.f_blocks - stat.f_bfree, stat.f_bavail
    values: dict[str, float | None] = {
        "disk_used_pct": 100 * used / (used + free) if used + free else 0.0,
        "disk_used_bytes": used * stat.f_frsize,
        "disk_free_bytes": free * stat.f_frsize,
        "disk_total_bytes": stat.f_blocks * stat.f_frsize,
    }
    if stat.f_files:  # some file systems make inodes as they need them, and have no such limit
        values["disk_inodes_used_pct"] = 100 * (stat.f_files - stat.f_ffree) / stat.f_files
    return values
