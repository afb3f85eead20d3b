"""A night, played for real: three hosts, a disk that fills, a host that dies, a collector that is killed, a channel
that hangs. `python -m tests.system.night` writes down who was told what, as the person who was woken would read it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from agent.options import duration_s, say_duration
from tests.receivers import Received, now_ms
from tests.system import paper
from tests.system.far_side import FarSide
from tests.system.harness import Agent, Collector, Stage
from tests.system.netns import Network
from tests.system.programs import ROOT, Program, wait_until

COLLECTOR, OFFICE, GATEWAY = "10.77.0.2", "10.77.0.3", "10.77.0.4"
PORT = 8420
LINK = "http://watch.example.org:8420"
DISK_MIB = 40
LEFT_OUT = {"cpu-high", "memory-high", "cpu-exhausted", "memory-exhausted"}
"""The hosts share the processors and memory of the machine that plays them, so what else runs there would ring."""


class Pace(Struct, frozen=True):
    """How much faster than life: agents tick every `every_s` instead of every 10 s, and each `for` of the rules is
    divided by `times`."""

    every_s: float = 1.0
    times: float = 60.0


class Step(Struct, frozen=True):
    """Something that was done or seen, in words."""

    at_ms: int
    words: str


class Story(Struct):
    """All that is told of a night."""

    pace: Pace
    steps: list[Step] = []
    received: list[Received] = []
    paged: list[Received] = []
    notices: list[dict[str, Any]] = []
    worst_page: str = ""
    last_page: str = ""
    notices_page: str = ""
    largest_gap_s: dict[str, float] = {}

    def did(self, words: str) -> None:
        self.steps.append(Step(now_ms(), words))

    def mails(self) -> list[Received]:
        return [received for received in self.received if received.kind == "mail"]


# --- the scene --------------------------------------------------------------------------------------------------------


class Scene:
    """The hosts, their network, the collector and those who are told."""

    def __init__(self, folder: Path, pace: Pace) -> None:
        self.network = Network()
        self.stage = Stage(folder)
        self._pace = pace
        self.hosts: dict[str, Agent] = {}

    def build(self) -> None:
        net = self.network
        net.add_bridge("lan")
        for host, address in (
            ("watch", COLLECTOR),
            ("office", OFFICE),
            ("gw-1", GATEWAY),
            ("db-1", "10.77.0.5"),
        ):
            net.add(host)
            net.plug(host, address, "lan")
        net.add("web-1")
        net.cable("web-1", "eth0", "10.77.1.2", "gw-1", "eth1", "10.77.1.1")
        net.forward("gw-1")
        net.route("web-1", "default", "10.77.1.1")
        net.route("watch", "10.77.1.0/24", GATEWAY)

        self.office = self._far_side("office", (25, 80))
        self.pager = self._far_side("pager", (2525, 8080))
        self.collector = self._collector()
        self.start_collector()
        self.web = self._service("web-1", "web", 8080)
        self.database = self._service("db-1", "database", 5432)
        self._host("gw-1", "/srv/log", [], role="gateway")
        shop = {"kind": "http", "id": "shop", "url": "http://127.0.0.1:8080/"}
        self._host("web-1", "/srv/www", [shop], role="web", parent="gw-1")
        postgres = {"kind": "tcp", "id": "database", "host": "127.0.0.1", "port": 5432}
        self._host("db-1", "/srv/db", [postgres], role="db")

    def _far_side(self, name: str, ports: tuple[int, int]) -> FarSide:
        prefix = self.network.prefix("office")
        return self.stage.far_side(name=name, host=OFFICE, ports=ports, prefix=prefix)

    def _collector(self) -> Collector:
        hook = {**self.pager.hook_channel, "name": "pager", "from_severity": "critical", "timeout": "2s"}
        collector = self.stage.collector(
            rules=rules_of_packs(self._pace),
            channels=[self.office.mail_channel, self.office.slack_channel, hook],
            settings={"listen": f"0.0.0.0:{PORT}", "url": LINK},
            prefix=self.network.prefix("watch"),
        )
        collector.port = PORT
        return collector

    def _service(self, host: str, name: str, port: int) -> Program:
        (self.stage.folder / name).mkdir()
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
        command += ["--directory", str(self.stage.folder / name)]
        service = self.stage.keep(
            Program(name, command, self.stage.folder / f"{name}.log", prefix=self.network.prefix(host))
        )
        service.start()
        return service

    def _host(self, name: str, mount: str, checks: Sequence[dict[str, Any]], **labels: str) -> None:
        config = self.collector.add_host(name, *(f"{label}={value}" for label, value in labels.items()))
        mounts = (
            "mount -t tmpfs -o size=1m none /srv; "
            f"mkdir {mount}; mount -t tmpfs -o size={DISK_MIB}m none {mount}; "
            f"head -c {DISK_MIB * 1024 * 1024 // 3} /dev/zero > {mount}/used"
        )
        agent = self.stage.agent(
            name,
            config,
            every=say_duration(self._pace.every_s),
            checks=[{"kind": "disk", "include_mounts": [mount]}, *checks],
            settings={"collector": f"http://{COLLECTOR}:{PORT}", "allow_plaintext": True},
            prefix=self.network.prefix(name, mounts=mounts),
        )
        self.hosts[name] = agent
        agent.start()

    # --- what can be done and seen ---

    def start_collector(self) -> None:
        self.collector.start(wait=False)
        wait_until("the collector to be ready", lambda: self.at_collector(self.collector.is_ready))

    def at_collector(self, work: Callable[[], Any]) -> Any:
        return self.network.inside("watch", work)

    def page(self, path: str) -> str:
        """A page as its text."""
        status, html = self.at_collector(lambda: self.collector.get(path))
        assert status == 200, html
        return paper.text_of(html)

    def behave(self, far_side: FarSide, **how: str) -> None:
        self.network.inside("office", lambda: far_side.behave(**how))

    def fill_disk(self, host: str, mount: str, used_pct: float) -> None:
        """Make a file there so large that so much of it is used."""
        file = Path(f"/proc/{self.hosts[host].pid}/root{mount}/used")
        file.write_bytes(bytes(int(DISK_MIB * 1024 * 1024 * used_pct / 100)))

    def owed(self, channel: str = "mail") -> list[tuple[str, str]]:
        """(reason, host) of the notices to a channel, in their order."""
        return [(row["reason"], row["host"]) for row in self.collector.notices(channel)]

    def wait_told(self, count: int) -> None:
        """Until mail and Slack have got so many each."""
        wait_until(
            f"{count} mails and Slack messages",
            lambda: all(len(self.office.of_kind(kind)) >= count for kind in ("mail", "slack")),
        )

    def end(self) -> None:
        self.stage.end()
        self.network.remove()


def rules_of_packs(pace: Pace) -> list[dict[str, Any]]:
    """The rules that come with Watchkeeper and hold by default, at the night's pace."""
    rules: list[dict[str, Any]] = []
    for pack in ("hosts", "services", "critical"):
        for rule in yaml.safe_load((ROOT / "rules" / "packs" / f"{pack}.yaml").read_text())["rules"]:
            if rule["name"] not in LEFT_OUT:
                hurried = {"for": say_duration(duration_s(rule["for"]) / pace.times)} if "for" in rule else {}
                rules.append({**rule, **hurried})
    return rules


# --- the night --------------------------------------------------------------------------------------------------------


def play(folder: Path, pace: Pace, picture: Path | None = None) -> Story:
    """Live through the night. An AssertionError says what did not happen as it should; nothing is left running."""
    scene, story = Scene(folder, pace), Story(pace)
    try:
        scene.build()
        quiet_evening(scene, story)
        disk_fills(scene, story)
        gateway_dies(scene, story)
        collector_is_killed(scene, story)
        gateway_is_back(scene, story)
        pager_is_back(scene, story)
        morning(scene, story, picture)
    except BaseException:
        print("\n".join(scene.stage.logs()), file=sys.stderr)
        raise
    finally:
        scene.end()
    return story


def quiet_evening(scene: Scene, story: Story) -> None:
    story.did("The evening is quiet: gw-1, web-1 (which is reached through gw-1) and db-1 are well.")
    wait_until(
        "three hosts to be heard", lambda: scene.collector.ask_one("SELECT count(*) FROM pushers") == 3
    )
    time.sleep(3 * story.pace.every_s)
    assert scene.owed() == []


def disk_fills(scene: Scene, story: Story) -> None:
    scene.behave(scene.pager, http="hang")
    story.did("The pager's gateway hangs: it takes connections and never answers. Nobody notices yet.")
    story.did("On db-1 a dump that nobody stops fills /srv/db to 88 %.")
    scene.fill_disk("db-1", "/srv/db", 88)
    scene.wait_told(1)
    story.did("The dump goes on: /srv/db is at 98 %.")
    scene.fill_disk("db-1", "/srv/db", 98)
    scene.wait_told(2)
    time.sleep(5 * story.pace.every_s)
    story.did("Somebody removes the dump: 40 %.")
    scene.fill_disk("db-1", "/srv/db", 40)
    scene.wait_told(3)


def gateway_dies(scene: Scene, story: Story) -> None:
    time.sleep(3 * story.pace.every_s)
    story.did("gw-1 dies, and its link with it. web-1 runs on behind it, but nothing of it gets through.")
    scene.hosts["gw-1"].kill()
    scene.network.link("gw-1", "eth0", "down")
    scene.wait_told(4)
    time.sleep(6 * story.pace.every_s)
    story.worst_page = scene.page("/")
    story.did("(The overview at this moment is shown below.)")


def collector_is_killed(scene: Scene, story: Story) -> None:
    scene.collector.kill()
    story.did("The collector is killed (kill -9), in the middle of all this.")
    away_s = max(
        duration_s(rule["for"]) for rule in rules_of_packs(story.pace) if rule["name"] == "check-failing"
    )
    story.did("Meanwhile the database of db-1 stops answering …")
    scene.database.kill()
    time.sleep(away_s + 4 * story.pace.every_s)
    scene.database.start()
    story.did("… and answers again, all while the collector is away.")
    time.sleep(3 * story.pace.every_s)
    scene.start_collector()
    story.did("The collector is started again.")
    wait_until(
        "what db-1 saw meanwhile",
        lambda: [
            step for step in scene.collector.transitions("%database%") if step == ("firing", "ok", True)
        ],
    )
    time.sleep(8 * story.pace.every_s)
    assert scene.owed().count(("first", "gw-1")) == 1


def gateway_is_back(scene: Scene, story: Story) -> None:
    scene.network.link("gw-1", "eth0", "up")
    scene.hosts["gw-1"].start()
    story.did("gw-1 is up again.")
    scene.wait_told(5)
    wait_until("web-1 to have caught up", lambda: gap_s(scene.collector, "web-1") < 5 * story.pace.every_s)


def pager_is_back(scene: Scene, story: Story) -> None:
    scene.behave(scene.pager, http="accept")
    story.did("The pager's gateway is repaired.")
    wait_until(
        "everything to be told",
        lambda: {row["delivery"] for row in scene.collector.notices()} <= {"sent", "failed"},
        timeout_s=90,
    )


def morning(scene: Scene, story: Story, picture: Path | None) -> None:
    time.sleep(4 * story.pace.every_s)
    story.did("Morning. All hosts are well.")
    story.received, story.paged = scene.office.received, scene.pager.received
    story.notices = [dict(row) for row in scene.collector.notices()]
    story.last_page, story.notices_page = scene.page("/"), scene.page("/notices")
    story.largest_gap_s = {name: gap_s(scene.collector, name) for name in ("gw-1", "web-1", "db-1")}
    if picture is not None:
        take_picture(scene, picture)


def gap_s(collector: Collector, host: str) -> float:
    """The longest time between two samples of a host."""
    rows = collector.ask(
        "SELECT at FROM batches JOIN hosts ON hosts.id = host WHERE name = ? ORDER BY at", host
    )
    times = [int(row["at"]) for row in rows]
    return max(after - before for before, after in pairwise(times)) / 1000


def take_picture(scene: Scene, picture: Path) -> None:
    """The overview in a browser. It runs in the collector's namespace, as pages are served on loopback only."""
    script = (
        "import sys; from playwright.sync_api import sync_playwright as start\n"
        "with start() as it:\n"
        "    browser = it.chromium.launch(executable_path='/usr/bin/chromium', args=['--no-sandbox'])\n"
        "    page = browser.new_page(viewport={'width': 1000, 'height': 420})\n"
        f"    page.goto('http://127.0.0.1:{PORT}/', wait_until='load'); page.wait_for_timeout(4000)\n"
        "    page.screenshot(path=sys.argv[1]); browser.close()\n"
    )
    command = [*scene.network.prefix("watch"), sys.executable, "-c", script, str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr


# --- what must be so --------------------------------------------------------------------------------------------------

EXPECTED = [
    ("first", "warning", "db-1"),
    ("escalated", "critical", "db-1"),
    ("resolved", "critical", "db-1"),
    ("first", "critical", "gw-1"),
    ("resolved", "critical", "gw-1"),
]
"""Why, how grave, about which host: the mails of this night, and there must be no other."""


def faults(story: Story) -> list[str]:
    """What a person who was woken that night could rightly complain of."""
    found = []
    rows = [row for row in story.notices if row["channel"] == "mail"]
    told = [(row["reason"], row["severity"], row["host"]) for row in rows]
    if told != EXPECTED:
        found.append(f"the mails were {told}, not {EXPECTED}")
    if [mail.headers["X-Watchkeeper-Notice"] for mail in story.mails()] != [row["id"] for row in rows]:
        found.append("not every mail came once and in order")
    if len(story.mails()) != len([received for received in story.received if received.kind == "slack"]):
        found.append("mail and Slack did not get the same")
    paged = [post.headers["Idempotency-Key"] for post in story.paged]
    ends = [row["id"] for row in story.notices if (row["channel"], row["reason"]) == ("pager", "resolved")]
    if len(ends) != 2 or sorted(paged) != sorted(ends):
        found.append(f"the pager, which all was over for when it was reached, got {paged} and not {ends}")
    holes = {
        name: gap
        for name, gap in story.largest_gap_s.items()
        if gap > 5 * story.pace.every_s and name != "gw-1"
    }
    if holes:
        found.append(f"samples are missing: {holes}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system.night", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "a-night.md")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory(prefix="night-") as folder:
        story = play(Path(folder), Pace(), picture=out.with_suffix(".png"))
    out.write_text(paper.write(story, out.with_suffix(".png").name))
    for fault in faults(story):
        print(f"It was not a good night: {fault}", file=sys.stderr)
    print(f"Written: {out}")
    return 1 if faults(story) else 0


if __name__ == "__main__":
    sys.exit(main())
