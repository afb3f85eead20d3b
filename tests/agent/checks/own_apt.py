"""An apt of one's own: the real program, with lists, installed packages and archives in a folder."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

PACKAGE = """\
Package: {name}
Version: {version}
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: nothing
"""
RELEASE = """\
Origin: {origin}
Label: {origin}
Suite: {suite}
Codename: {suite}
Components: main
Architectures: all amd64
"""
SETTINGS = """\
Dir "{root}";
Dir::State::status "{root}/status";
APT::Architecture "amd64";
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""
"""No caches: they would be believed when what is installed changes twice within a second."""


class OwnApt:
    """`program` is to be run in place of apt-get; `lists` and `status` are what it goes by."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.lists, self.status = root / "var/lib/apt/lists", root / "status"
        for folder in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/cache/apt/archives/partial"):
            (root / folder).mkdir(parents=True)
        (self.lists / "partial").mkdir(parents=True)
        (root / "apt.conf").write_text(SETTINGS.format(root=root))
        self.program = root / "apt-get"
        self.says('exec env APT_CONFIG={config} apt-get "$@"')
        self.install({})

    def says(self, script: str) -> None:
        """What the program does."""
        config = shlex.quote(str(self._root / "apt.conf"))
        self.program.write_text(f"#!/bin/sh\n{script.replace('{config}', config)}\n")
        self.program.chmod(0o755)

    def install(self, packages: dict[str, str]) -> None:
        """These, by name and version, are what is installed."""
        self.status.write_text(
            "\n".join(
                PACKAGE.format(name=name, version=version) + "Status: install ok installed\n"
                for name, version in packages.items()
            )
        )

    def offer(self, origin: str, suite: str, packages: dict[str, str]) -> None:
        """These are in an archive, from the next look for updates on."""
        archive = self._root / origin / "dists" / suite
        index = archive / "main/binary-amd64"
        index.mkdir(parents=True)
        (archive / "Release").write_text(RELEASE.format(origin=origin, suite=suite))
        (index / "Packages").write_text(
            "\n".join(
                PACKAGE.format(name=name, version=version) + f"Filename: {name}.deb\nSize: 1\n"
                for name, version in packages.items()
            )
        )
        with (self._root / "etc/apt/sources.list").open("a") as sources:
            sources.write(f"deb [trusted=yes] file:{self._root / origin} {suite} main\n")

    def update(self) -> None:
        subprocess.run(
            [self.program, "-qq", "update"], check=True, capture_output=True, text=True, timeout=60
        )
