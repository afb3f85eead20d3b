"""Machines with a real systemd as their first process: containers of Debian, made here and gone with the test.

systemd-nspawn is told what to keep apart, which is all of it: its own root, mounts, processes and network. No systemd
is ever started outside of it, for that would tidy up the machine that the test runs on.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.system.programs import wait_until
from tests.systemd.roots import Root, remove_leftovers

CACHE = Path("/var/tmp/watchkeeper-systemd")
"""Not /tmp, which may be in memory: a prepared tree takes some 300 MB of disk, a machine up to 200 more."""
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "python3", "adduser", "ca-certificates", "init-system-helpers"),
    *("curl", "python3-apt", "libpam-systemd", "dbus-user-session"),
)
"""What a small Debian server has, all that our packages depend on (nothing is fetched when they are installed), what
the one command and Ansible need, and what gives users who log in a systemd of their own."""
IMAGE_PACKAGES = ("python3", "python3-venv", "ca-certificates")
"""What a base of a container image has to have."""
START_S, COMMAND_S, MAKE_S = 60, 120, 600


@contextmanager
def alone() -> Iterator[None]:
    """One process at a time: another that runs tests waits, and finds what was made."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def suite() -> str:
    """The Debian release that we run on, which is the one that the packages are built for."""
    lines = Path("/etc/os-release").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("VERSION_CODENAME="))


def base_tree(packages: Sequence[str] = PACKAGES, release: str = "") -> Path:
    """A tree of that release, or of another, made by debootstrap when there is none; it is kept for the next run."""

    def finish(making: Path) -> None:
        (making / "etc" / "machine-id").write_text("")  # each machine shall make one of its own

    return _kept(packages, release or suite(), [], finish)


def foreign_tree(architecture: str, packages: Sequence[str], release: str = "") -> Path:
    """A tree of either for another kind of machine: unpacked and not set up, as none of its programs runs here by
    itself."""

    def unpack(making: Path) -> None:
        for package in sorted((making / "var" / "cache" / "apt" / "archives").glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", package, making], check=True, timeout=COMMAND_S)
            package.unlink()

    return _kept(packages, release or suite(), ["--foreign", f"--arch={architecture}"], unpack)


@alone()
def _kept(packages: Sequence[str], release: str, options: list[str], finish: Callable[[Path], None]) -> Path:
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", *options, release]
    tree = CACHE / f"base-{release}-{zlib.crc32(' '.join(command).encode()):08x}"
    remove_leftovers(CACHE)
    if not tree.exists():
        making = CACHE / f"making-{os.getpid()}"
        making.mkdir(parents=True)
        try:
            done = subprocess.run(
                [*command, making], capture_output=True, text=True, timeout=MAKE_S, check=False
            )
            assert done.returncode == 0, f"debootstrap failed:\n{done.stdout[-4000:]}{done.stderr}"
            finish(making)
            making.rename(tree)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return tree


class Machine:
    """One container. `network` is the full name of its network namespace."""

    def __init__(self, name: str, network: str) -> None:
        self.name, self._network = name, network
        self._folder = CACHE / network
        self._root = Root(self._folder)
        self._nspawn: subprocess.Popen[bytes] | None = None

    def make(self, base: Path) -> None:
        self._root.make(base)
        self.path("/etc/hostname").write_text(f"{self.name}\n")
        # Nobody pulls its plug, so a package's files need not be on the disk one by one.
        self.path("/etc/dpkg/dpkg.cfg.d/machine").write_text("force-unsafe-io\n")

    def _nspawn_command(self) -> list[str]:
        return [
            *("systemd-nspawn", "--quiet", "-D", str(self._root.path), "--register=no", "--keep-unit"),
            *(f"--network-namespace-path=/run/netns/{self._network}", f"--machine={self._network}"),
            *(f"--hostname={self.name}", "--resolv-conf=off", "--timezone=off"),
            "--system-call-filter=@clock",  # as on any host; without the capability nobody sets it
        ]

    def start(self) -> None:
        command = [*self._nspawn_command(), "--boot", "--console=pipe"]
        with (self._folder / "console").open("ab") as console:
            # Should the test be killed, nspawn is told to put its machine to an end.
            self._nspawn = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )
        wait_until(f"{self.name} to run", self._is_up, timeout_s=START_S, every_s=0.2)

    def _is_up(self) -> bool:
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, f"{self.name} did not start"
        return (
            self.init is not None
            and self.try_run("systemctl", "is-system-running").stdout.strip() == "running"
        )

    @property
    def is_on(self) -> bool:
        return self._nspawn is not None and self._nspawn.poll() is None

    @property
    def init(self) -> int | None:
        """The pid, seen from here, of its first process."""
        assert self._nspawn is not None
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def reboot(self) -> None:
        """Down and up again, as systemd does it."""
        self.power_off()
        self.start()

    def power_off(self) -> None:
        assert self._nspawn is not None
        self.try_run("systemctl", "poweroff")
        self._nspawn.wait(START_S)

    def end(self) -> None:
        if self._nspawn is not None and self.is_on:
            try:
                self.power_off()
            except (subprocess.TimeoutExpired, AssertionError):
                self._nspawn.kill()
                self._nspawn.wait(START_S)
        self._root.end()

    # --- what is done in it ---

    def try_run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command in there, as root, with an environment of its own."""
        init = self.init
        assert init is not None, f"{self.name} is down"
        clean = [
            "env",
            "-i",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL=C.UTF-8",
            "DEBIAN_FRONTEND=noninteractive",
        ]
        return subprocess.run(
            ["nsenter", "-t", str(init), "-a", *clean, *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    def run(self, *command: str, stdin: str = "") -> str:
        """The same, and it has to succeed: what it wrote."""
        done = self.try_run(*command, stdin=stdin)
        assert done.returncode == 0, f"{self.name}: {' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def shell(self, script: str, stdin: str = "") -> str:
        return self.run("sh", "-ec", script, stdin=stdin)

    def without_systemd(self, script: str) -> str:
        """What a script writes in its tree while it is down: as in a container that has no init of its own."""
        done = subprocess.run(
            [*self._nspawn_command(), "--as-pid2", "--pipe", "sh", "-ec", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        assert done.returncode == 0, f"{self.name}: {script}: {done.stdout}{done.stderr}"
        return done.stdout

    def as_user(self, name: str, script: str) -> str:
        """What a script writes in a session of that user, who has logged in for it."""
        session = ["--quiet", "--wait", "--pipe", "--collect", f"--uid={name}", "--property=PAMName=login"]
        return self.run("systemd-run", *session, "sh", "-ec", f"cd; {script}")

    def path(self, inside: str) -> Path:
        """A file of its, as it is found from here."""
        return self._root.path / inside.lstrip("/")

    # --- what systemd knows ---

    def property(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    def main_pid(self, unit: str) -> int:
        return int(self.property(unit, "MainPID"))

    def journal(self, unit: str, *options: str) -> list[str]:
        out = self.run("journalctl", "--no-pager", "--quiet", "--output=cat", "--unit", unit, *options)
        return out.splitlines()
