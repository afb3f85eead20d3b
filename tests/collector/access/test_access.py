"""The parts of the gate by themselves: where requests come from, how often, by which right, and who was seen."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from aiohttp.http import HttpVersion10, HttpVersion11
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from collector.access.limits import ENTRIES_MAX, Buckets
from collector.access.names import parse_email, parse_token_name, parse_user_name
from collector.access.passwords import see_that_it_is_fit
from collector.access.roles import Roles, parse_permissions
from collector.access.whence import Proxies
from collector.who import PERMISSIONS
from tests.collector.access.house import NOW, House, open_house

# --- from where ------------------------------------------------------------------------------------------------------

TRUSTED = ("127.0.0.1", "10.0.0.0/8", "2001:db8::/32")

# The peer, what it says, and whom that makes: address, network, by TLS, this machine.
WHENCE: dict[str, tuple[str, dict[str, str], tuple[str, str, bool, bool]]] = {
    "this machine": ("127.0.0.1", {"Host": "localhost"}, ("127.0.0.1", "loopback", False, True)),
    "this machine by a foreign name": (
        "127.0.0.1",
        {"Host": "a.example"},
        ("127.0.0.1", "loopback", False, False),
    ),
    "this machine without a name": ("127.0.0.1", {"Host": ""}, ("127.0.0.1", "loopback", False, False)),
    "another machine": ("192.0.2.7", {"Host": "localhost"}, ("192.0.2.7", "192.0.2.7", False, False)),
    "a stranger who claims to be a proxy": (
        "192.0.2.7",
        {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"},
        ("192.0.2.7", "192.0.2.7", False, False),
    ),
    "a trusted proxy": (
        "127.0.0.1",
        {"Host": "localhost", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"},
        ("192.0.2.7", "192.0.2.7", True, False),
    ),
    "a trusted proxy for a liar": (
        "10.1.1.1",
        {"X-Forwarded-For": "127.0.0.1, 192.0.2.7"},
        ("192.0.2.7", "192.0.2.7", False, False),
    ),
    "two trusted proxies in a row": (
        "10.1.1.1",
        {"X-Forwarded-For": "192.0.2.7, 10.2.2.2"},
        ("192.0.2.7", "192.0.2.7", False, False),
    ),
    "a trusted proxy for a trusted network": (
        "10.1.1.1",
        {"Host": "localhost", "X-Forwarded-For": "10.3.3.3"},
        ("10.3.3.3", "10.3.3.3", False, False),
    ),
    "a trusted proxy that says nonsense": (
        "10.1.1.1",
        {"X-Forwarded-For": "unknown"},
        ("10.1.1.1", "10.1.1.1", False, False),
    ),
    "a trusted proxy for this machine": (
        "127.0.0.1",
        {"Host": "localhost", "X-Forwarded-For": "127.0.0.1"},
        ("127.0.0.1", "loopback", False, False),
    ),
    "an address with a port": (
        "10.1.1.1",
        {"X-Forwarded-For": "192.0.2.7:4711"},
        ("192.0.2.7", "192.0.2.7", False, False),
    ),
    "six to the fourth": (
        "10.1.1.1",
        {"X-Forwarded-For": "[2a00::1:2]:4711"},
        ("2a00::1:2", "2a00::/64", False, False),
    ),
    "four in six": (
        "10.1.1.1",
        {"X-Forwarded-For": "::ffff:192.0.2.7"},
        ("192.0.2.7", "192.0.2.7", False, False),
    ),
}


class _Peer:
    def __init__(self, address: str) -> None:
        self._address = address

    def get_extra_info(self, name: str, default: object = None) -> object:
        return (self._address, 4711) if name == "peername" else default


@pytest.mark.parametrize("what", WHENCE)
def test_where_a_request_comes_from(what: str) -> None:
    peer, headers, wanted = WHENCE[what]
    request = make_mocked_request("GET", "/", headers, version=HttpVersion11, transport=_Peer(peer))
    found = Proxies(TRUSTED).whence(request)
    assert (found.address, found.network, found.is_secure, found.is_local) == wanted


@pytest.mark.parametrize(("version", "is_local"), [(HttpVersion10, False), (HttpVersion11, True)])
def test_a_proxy_of_the_old_kind_is_not_this_machine(version: object, is_local: bool) -> None:
    request = make_mocked_request(
        "GET", "/", {"Host": "localhost"}, version=version, transport=_Peer("127.0.0.1")
    )
    assert Proxies(()).whence(request).is_local is is_local


@given(st.text(max_size=200))
def test_whatever_a_trusted_proxy_says_is_no_fault_of_ours(said: str) -> None:
    headers = {"X-Forwarded-For": said, "X-Forwarded-Proto": said}
    request = make_mocked_request("GET", "/", headers, transport=_Peer("10.0.0.1"))
    assert Proxies(TRUSTED).whence(request).address


def test_what_is_no_address_of_a_proxy_is_named() -> None:
    with pytest.raises(ValueError, match=r"'proxy\.example' is no address and no network; write one such as"):
        Proxies(["proxy.example"])


# --- how often -------------------------------------------------------------------------------------------------------


@given(st.floats(0.1, 100), st.integers(1, 50), st.lists(st.floats(0, 10), min_size=1, max_size=100))
def test_nobody_asks_more_often_than_burst_and_pace_allow(
    per_s: float, burst: int, pauses: list[float]
) -> None:
    now = 0.0
    buckets = Buckets(per_s, burst, lambda: now)
    allowed = 0
    for pause in pauses:
        now += pause
        standing = buckets.take("ada")
        allowed += standing.allowed
        assert 0 <= standing.remaining <= burst
        assert standing.wait_s >= 1
        assert standing.allowed is not ("Retry-After" in standing.headers)
    assert allowed <= burst + now * per_s + 1e-6
    assert allowed >= min(len(pauses), burst)


def test_the_number_of_buckets_is_bounded_and_who_asks_now_keeps_theirs() -> None:
    buckets = Buckets(1, 2, lambda: 0.0)
    assert [buckets.take("ada").allowed for _ in range(3)] == [True, True, False]
    for number in range(ENTRIES_MAX - 1):
        buckets.take(f"10.0.0.{number}")
        if number % 1_000 == 0:
            assert not buckets.take("ada").allowed
    assert len(buckets) == ENTRIES_MAX
    buckets.take("one more")
    assert len(buckets) == ENTRIES_MAX
    assert buckets.is_empty("ada")
    assert not buckets.is_empty("nobody")


# --- roles and names -------------------------------------------------------------------------------------------------


def test_roles_are_those_built_in_and_those_of_the_config() -> None:
    roles = Roles({"viewer": ["monitoring.read"], "analyst": ["monitoring.read", "monitoring.audit.read"]})
    assert roles.names == ["owner", "admin", "member", "viewer", "analyst"]
    assert roles.permissions("owner") == PERMISSIONS
    assert roles.permissions("admin") == PERMISSIONS - {"monitoring.audit.read"}
    assert roles.permissions("member") == frozenset()
    assert roles.permissions("viewer") == {"monitoring.read"}
    assert roles.permissions("gone") == frozenset()


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({"owner": ["monitoring.read"]}, "the role owner may do everything, always"),
        (
            {"viewer": ["monitoring.raed"]},
            "role viewer: there is no permission 'monitoring.raed'; did you mean",
        ),
    ],
)
def test_roles_that_make_no_sense_are_refused(written: dict[str, list[str]], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Roles(written)
    with pytest.raises(ValueError, match="there is no role 'king'; there are owner, admin, member, viewer"):
        Roles({}).known("king")
    assert parse_permissions([]) == frozenset()


@pytest.mark.parametrize("name", ["ada", "ada.l", "a", "ada@example.org", "A-1_b+c"])
def test_names_of_users(name: str) -> None:
    assert parse_user_name(f" {name} ") == name


@pytest.mark.parametrize(
    "name", ["", ".", "-a", "a b", "<b>", "a\nb", "a" * 65, "ада", "local", "NOBODY", "a:b"]
)
def test_what_is_no_name_of_a_user(name: str) -> None:
    with pytest.raises(ValueError, match=r"is no name of a user|is what Watchkeeper calls itself"):
        parse_user_name(name)


def test_names_of_tokens_and_addresses_of_mail() -> None:
    assert parse_token_name("ci-1") == "ci-1"
    assert parse_email("") == ""
    assert parse_email("ada@example.org") == "ada@example.org"
    with pytest.raises(ValueError, match="is no name of a token"):
        parse_token_name("a b")
    with pytest.raises(ValueError, match="is no address for mail"):
        parse_email("ada")


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("short", "10 letters at least"),
        ("a" * 1_001, "1000 bytes at most"),
        ("ä" * 501, "1000 bytes at most"),
        ("line\nbreak and more", "no line breaks"),
        ("aaaaaaaaaaaa", "the same few letters"),
    ],
)
def test_a_password_that_will_not_do_is_refused_with_the_reason(password: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        see_that_it_is_fit(password)


# --- who was here ----------------------------------------------------------------------------------------------------


async def test_who_was_here_is_written_down_in_one_piece_and_at_the_end(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        cookie, token = await _seen_both(house)
        (session,) = await house.store.people.sessions(1)
        assert session.seen_at == NOW
        await house.access.note_seen()
        (session,) = await house.store.people.sessions(1)
        assert session.seen_at == NOW + 5_000
        house.clock += 1_000
        await house.ask("/page", Cookie=cookie)
        await house.ask("/page", Authorization=token)
        await house.access.close()
        (session,) = await house.store.people.sessions(1)
        (kept,) = await house.store.people.api_tokens()
        assert session.seen_at == kept.used_at == NOW + 6_000


async def _seen_both(house: House) -> tuple[str, str]:
    cookie = await house.cookie(await house.user())
    token = await house.api_token("monitoring.read")
    house.clock += 5_000
    assert (await house.ask("/page", Cookie=cookie)).status == 200
    assert (await house.ask("/page", Authorization=token)).status == 200
    return cookie, token


# --- the trail -------------------------------------------------------------------------------------------------------


async def test_the_trail_tells_who_from_where_and_how_it_was_before_and_after(tmp_path: Path) -> None:
    async with open_house(tmp_path, proxies=("127.0.0.1",)) as house:
        ada = await house.bearer(await house.user())
        await house.user("bob", "viewer")
        from_afar = {"X_Forwarded_For": "192.0.2.7", "X_Request_Id": "abc-1"}
        assert (await house.post("/bob", Authorization=ada, **from_afar)).status == 200
        (row,) = await house.access.audit.rows(10)
    assert (row.who, row.what, row.address, row.request_id) == ("ada", "user.role", "192.0.2.7", "abc-1")
    before, after = msgspec.json.decode(row.before), msgspec.json.decode(row.after)
    assert (before["role"], after["role"]) == ("viewer", "analyst")
    assert "password_hash" not in before | after


async def test_a_change_that_the_trail_cannot_take_is_in_the_log_and_stands(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.store.close()
    await house.access.audit.record("ada", "config.update", {"keep": 1}, {"keep": 2})
    (said,) = caplog.messages
    assert said == (
        "A change is not in the audit trail, as it cannot be written (the store is closed): "
        'config.update by ada, before {"keep":1}, after {"keep":2}'
    )


async def test_what_is_too_large_for_the_trail_is_said_to_be_left_out(house: House) -> None:
    await house.access.audit.record("ada", "config.update", after={"text": "x" * 100_000})
    (row,) = await house.access.audit.rows(10)
    assert row.after == '{"left_out":"100011 bytes are more than is kept"}'
