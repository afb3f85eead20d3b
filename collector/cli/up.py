"""`watchkeeper up`: a collector and an agent for this very host, out of one folder, for trying it in a minute."""

from __future__ import annotations

import asyncio
import ctypes
import ipaddress
import logging
import os
import shlex
import signal
import sys
from pathlib import Path

from agent.wire import Token

log = logging.getLogger(__name__)

DIR = Path(".watchkeeper")
CONFIG = "collector.yaml"

LISTEN_VARIABLE = "WATCHKEEPER_COLLECTOR__LISTEN"
AGENT_AGAIN_S = 5.0
AGENT_STOP_S = 8.0
PR_SET_PDEATHSIG = 1

STARTER = """\
# Made by `watchkeeper up`. What you change here is kept; start it again to apply it.
collector:
  listen: 127.0.0.1:8420
  state: collector
  # Whom to tell when something is wrong. config.example.yaml shows every kind of channel:
  # channels:
  #   - kind: slack
  #     name: ops
  #     url_file: slack-webhook.url
"""

AGENT_STARTER = """\
# Made by `watchkeeper up`, which says itself where the collector is. What you change here is kept; start it again.
agent:
  token_file: agent.token
  state: agent
  # Which services to look at. config.example.yaml shows every kind of check:
  # checks:
  #   - kind: http
  #     id: shop
  #     url: https://shop.example.org/
"""


class Folder:
    """Where `up` keeps its things: the config of each program, the agent's token, the state of both."""

    def __init__(self, path: Path) -> None:
        self.collector_config = path / CONFIG
        self.agent_config = path / "agent.yaml"
        self._token = path / "agent.token"
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.collector_config.exists():
            self.collector_config.write_text(STARTER)
        if not self.agent_config.exists():
            self.agent_config.write_text(AGENT_STARTER)

    @property
    def has_token(self) -> bool:
        return self._token.exists()

    def keep_token(self, token: Token) -> None:
        self._token.touch(mode=0o600)
        self._token.write_text(f"{token}\n")


def words(url: str, folder: Folder, port: int | None) -> str:
    """What whoever started it is told: where the page is, and how the same collector is asked from a terminal."""
    program = sys.argv[0] if Path(sys.argv[0]).name == "watchkeeper" else "watchkeeper"
    command = shlex.join([program, "status", "--config", str(folder.collector_config)])
    listen = f"{LISTEN_VARIABLE}={listen_on(port)} " if port is not None else ""
    return f"Watchkeeper watches this host: {url}  (Ctrl-C ends it)\nFrom another terminal: {listen}{command}"


def listen_on(port: int) -> str:
    return f"127.0.0.1:{port}"


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def keep_agent_running(config: Path, url: str, log_format: str) -> None:
    """Run the agent as a child until cancelled, then stop it kindly; one that dies is started again.

    The environment tells it where the collector is: that may change from start to start, and what a person wrote into
    the config is left alone.
    """
    environ = {**os.environ, "WATCHKEEPER_AGENT__COLLECTOR": url}
    while True:
        command = ["-m", "agent", "--log-format", log_format, "run", "--config", str(config)]
        child = await asyncio.create_subprocess_exec(
            sys.executable, *command, env=environ, preexec_fn=_end_with_parent
        )
        try:
            code = await child.wait()
        except asyncio.CancelledError:
            await _stop(child)
            raise
        log.error(
            "The agent ended by itself (exit code %d); it is started again in %d s.", code, AGENT_AGAIN_S
        )
        await asyncio.sleep(AGENT_AGAIN_S)


def _end_with_parent() -> None:
    """Runs in the child: should we be killed, the kernel ends the agent kindly, and it does not hold its spool. A
    Ctrl-C while it still starts is not its own affair: we end it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


async def _stop(child: asyncio.subprocess.Process) -> None:
    child.terminate()
    try:
        async with asyncio.timeout(AGENT_STOP_S):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
