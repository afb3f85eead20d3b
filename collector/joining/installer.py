"""The installer that the collector serves, and the one command that fetches it, looks it over and runs it.

The command holds the script's SHA-256, and the script those of the bundles: so whoever took the command from a page or
shell that they trust knows what will run, by whatever way the rest then comes. That is why it does not matter here
whether the certificate is one that the host would trust.
"""

from __future__ import annotations

import asyncio
import hashlib
import shlex
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from msgspec import Struct

from collector.desks.codes import Told
from collector.joining.bundles import Bundles
from collector.joining.trust import fingerprint, is_trusted
from collector.who import needs

TEMPLATE = Path(__file__).with_name("install.sh")
SCRIPT = "watchkeeper-install.sh"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
NOTHING_YET = "This collector has nothing to install yet; its page /hosts/new says why.\n"
"""For strangers: without a path of this machine."""
NOWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - addresses to listen on, that lead nowhere


class Way(Struct, frozen=True):
    """How hosts come to the collector. `pin` is the fingerprint of its certificate, where they would not trust it by
    themselves."""

    url: str
    pin: str = ""

    @property
    def flags(self) -> str:
        """What an agent has to be told besides the address."""
        parts = urlsplit(self.url)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            return " --allow-plaintext"
        return f" --pin {self.pin}" if self.pin else ""


class Installer:
    """`url` is what agents call the collector; `certificate` is the one it shows, if it speaks TLS itself."""

    def __init__(self, bundles: Path, url: str, certificate: ssl.SSLContext | None) -> None:
        self._bundles, self._url, self._certificate = Bundles(bundles), url, certificate
        self._busy = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/install", needs(None, self._serve_script)),
            web.get("/install/bundle/{name}.tar", needs(None, self._serve_bundle)),
        ]

    async def tell(self, code: str = "") -> Told:
        """What to type on a host that is to join by this code; without one, on a host that has joined, for this
        collector's version of the agent to take the place of its own."""
        async with self._busy:
            return await asyncio.to_thread(self._tell, code)

    def _tell(self, code: str) -> Told:
        way = self._way()
        by_hand = f"watchkeeper-agent join {shlex.quote(way.url)} {code}{way.flags}"
        if urlsplit(way.url).hostname in NOWHERE:
            return Told(None, by_hand, f"{way.url} leads nowhere from another host; set `url:` in the config")
        text = self._script()
        if not text:
            return Told(None, by_hand, self._no_bundle, self._warning)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        silent = "-fsSk" if way.pin else "-fsS"
        fetch = f"curl {silent} -o {SCRIPT} {shlex.quote(f'{way.url}/install')}"
        check = f"echo '{sha256}  {SCRIPT}' | sha256sum -c"
        install = f"sudo sh {SCRIPT} {code}{way.flags}" if code else f"sudo sh {SCRIPT}"
        return Told(f"{fetch} && {check} && {install}", by_hand, warning=self._warning)

    def _script(self) -> str:
        """Empty when there is nothing to install. The same as long as bundles and address are the same."""
        bundles = self._bundles.all()
        if not bundles:
            return ""
        lines = "\n".join(f"{bundle.name} {bundle.sha256}" for bundle in bundles)
        return TEMPLATE.read_text().replace("@URL@", shlex.quote(self._url)).replace("@BUNDLES@", lines)

    def _way(self) -> Way:
        certificate, host = self._certificate, urlsplit(self._url).hostname or ""
        if certificate is None or not self._url.startswith("https://") or is_trusted(certificate, host):
            return Way(self._url)
        return Way(self._url, fingerprint(certificate))

    @property
    def _warning(self) -> str:
        if urlsplit(self._url).hostname not in LOOPBACK:
            return ""
        return f"Only this machine reaches {self._url}. For other hosts, set `listen:` and `url:` in collector.yaml."

    @property
    def _no_bundle(self) -> str:
        return (
            f"there is nothing to install in {self._bundles.folder}; `make bundle` makes it, "
            "on a machine that reaches a package index (docs/install.md)"
        )

    async def _serve_script(self, request: web.Request) -> web.Response:
        async with self._busy:
            text = await asyncio.to_thread(self._script)
        if not text:
            return web.Response(status=503, text=NOTHING_YET)
        return web.Response(text=text, headers={"Cache-Control": "no-cache"})

    async def _serve_bundle(self, request: web.Request) -> web.StreamResponse:
        file = await asyncio.to_thread(self._bundles.file, request.match_info["name"])
        if file is None:
            return web.Response(status=404, text="there is no such bundle\n")
        return web.FileResponse(file, headers={"Content-Type": "application/x-tar"})
