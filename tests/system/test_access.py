"""A collector that serves a network: closed to it until there is a first user, and then to whoever is none."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest

from tests.conftest import Needs
from tests.system import netns
from tests.system.harness import Collector, Stage
from tests.system.netns import Network
from tests.system.programs import PATIENCE_S, ROOT, environ, wait_until

ADDRESS, PORT = "10.9.8.1", 8420
PASSWORD = "correct horse battery"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

Asked = tuple[int, dict[str, str], str]


@pytest.fixture
def network(needs: Needs) -> Iterator[Network]:
    """The collector's machine and a person's, on one cable."""
    needs.that(netns.is_possible(), "needs root that may make network namespaces and mount in them")
    network = Network()
    network.add("watch")
    network.add("laptop")
    network.cable("watch", "eth0", ADDRESS, "laptop", "eth0", "10.9.8.2")
    yield network
    network.remove()


def asker(network: Network, host: str, address: str) -> Callable[..., Asked]:
    """Asks the collector from one of the machines."""

    def ask(path: str, form: dict[str, str] | None = None, **headers: str) -> Asked:
        def work() -> Asked:
            connection = http.client.HTTPConnection(address, PORT, timeout=PATIENCE_S)
            body = None if form is None else urlencode(form)
            connection.request(
                "GET" if form is None else "POST", path, body, {**headers, **(FORM if form else {})}
            )
            answer = connection.getresponse()
            headers_got = dict(reversed(answer.getheaders()))  # of several cookies the first, the session's
            told = (answer.status, headers_got, answer.read().decode())
            connection.close()
            return told

        return network.inside(host, work)

    return ask


def add_user(collector: Collector, network: Network, name: str) -> str:
    command = [sys.executable, "-m", "collector", "user", "add", name, "--role", "owner", "--password-stdin"]
    done = subprocess.run(
        [*network.prefix("watch"), *command, "--config", str(collector.config)],
        input=PASSWORD,
        cwd=ROOT,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return done.stdout


def test_a_network_sees_nothing_until_the_first_user_is_made_by_the_link_in_the_log(
    stage: Stage, network: Network
) -> None:
    settings = {"listen": f"0.0.0.0:{PORT}", "url": f"http://{ADDRESS}:{PORT}"}
    collector = stage.collector(settings=settings, prefix=network.prefix("watch"))
    collector.start(wait=False)
    here, laptop = asker(network, "watch", "127.0.0.1"), asker(network, "laptop", ADDRESS)

    def link() -> re.Match[str] | None:
        assert collector.alive, collector.said
        return re.search(rf"http://{ADDRESS}:{PORT}(/setup\?code=([\w-]+))", collector.said)

    found = wait_until("the link to make the first user", link)
    for path, status in {"/": 403, "/metrics": 403, "/api/monitoring/hosts": 403, "/health": 200}.items():
        assert laptop(path)[0] == status, path
    assert here("/")[0] == 200
    assert "There is no user yet" in laptop("/")[2]

    assert laptop(found[1])[0] == 200
    fields = {"code": found[2], "name": "ada", "password": PASSWORD, "again": PASSWORD, "csrf": ""}
    status, headers, _ = laptop("/setup", fields)
    assert (status, headers["Location"]) == (303, "/")
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert laptop("/", Cookie=cookie)[0] == 200
    assert laptop("/setup", {**fields, "name": "eve"})[0] == 403
    for ask in (here, laptop):
        status, headers, _ = ask("/notices")
        assert (status, headers["Location"]) == (303, "/login?next=%2Fnotices")
        assert ask("/metrics")[0] == 401

    assert add_user(collector, network, "bob") == "bob can log in now, as owner.\n"
    status, headers, _ = laptop(
        "/login", {"name": "bob", "password": PASSWORD, "next": "/notices", "csrf": ""}
    )
    assert (status, headers["Location"]) == (303, "/notices")
    token = (collector.database.parent / "local.token").read_text().strip()
    assert here("/metrics", Authorization=f"Bearer {token}")[0] == 200
    assert collector.stop() == 0
    assert PASSWORD not in collector.said
