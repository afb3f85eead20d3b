"""The style sheet, the scripts and the icon: read once, named by what they hold, so that browsers may keep them."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

from aiohttp import web
from msgspec import Struct

from collector.web.answers import Missing, takes_gzip

FOLDER = Path(__file__).parent / "static"
PREFIX = "/static/"
SCRIPT = "all.js"
"""All scripts as one, each in a scope of its own: a page then is one request and two assets."""
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}


class Asset(Struct, frozen=True):
    """A file as it is served; `url` changes whenever its content does."""

    url: str
    content: bytes
    zipped: bytes
    kind: str
    etag: str


class Assets:
    def __init__(self, folder: Path = FOLDER) -> None:
        files = sorted(path for path in folder.iterdir() if path.suffix in _KINDS)
        scripts = [path.read_bytes() for path in files if path.suffix == ".js"]
        others = {path.name: path.read_bytes() for path in files if path.suffix != ".js"}
        contents = {SCRIPT: b"".join(b"{\n%b}\n" % script for script in scripts), **others}
        self._by_name = {name: _asset(Path(name), content) for name, content in contents.items()}
        self._by_url = {asset.url: asset for asset in self._by_name.values()}

    def url(self, name: str) -> str:
        return self._by_name[name].url

    async def serve(self, request: web.Request) -> web.Response:
        asset = self._by_url.get(request.path)
        if asset is None:
            raise Missing("Another version of Watchkeeper may have had it; load the page anew.")
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "ETag": asset.etag,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if asset.etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = asset.kind
        if takes_gzip(request):
            return web.Response(body=asset.zipped, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=asset.content, headers=headers)


def _asset(path: Path, content: bytes) -> Asset:
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    return Asset(
        f"{PREFIX}{path.stem}-{digest}{path.suffix}",
        content,
        gzip.compress(content, mtime=0),
        _KINDS[path.suffix],
        f'"{digest}"',
    )
