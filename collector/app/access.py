"""Who may what, built from the config: a mistake in it is named with its file and line."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from collector.access import Access, Terms
from collector.access.desk import Desk
from collector.access.passwords import Passwords, hasher
from collector.access.roles import Roles
from collector.access.whence import Proxies
from collector.app.folder import key_in, write_private
from collector.config import Loaded
from collector.desks.trail import Audit
from collector.server import ServerError
from collector.server.tls import Certificate
from collector.store.people import People

TOKEN_KEY, LOCAL_TOKEN = "token.key", "local.token"


def access(
    people: People,
    loaded: Loaded,
    *,
    now_ms: Callable[[], int],
    monotonic: Callable[[], float],
    registry: CollectorRegistry,
    changed: Callable[[], None],
    made: Callable[[], object],
) -> Access:
    """`changed` is called when somebody may do less, or more, than before; `made`, after each change that stands in the
    trail. ConfigError, and StoreError when the secrets beside the store cannot be kept there."""
    built = Access(
        people,
        key_in(loaded.state, TOKEN_KEY),
        roles(loaded),
        terms(loaded),
        now_ms=now_ms,
        monotonic=monotonic,
        registry=registry,
        changed=changed,
        made=made,
    )
    write_private(loaded.state / LOCAL_TOKEN, built.local_token)
    return built


def desk(people: People, loaded: Loaded, now_ms: Callable[[], int]) -> Desk:
    """For commands beside the collector, which notices within seconds what they changed. ConfigError."""
    return Desk(people, roles(loaded), Passwords(hasher()), Audit(people, now_ms), now_ms)


def check_access(loaded: Loaded) -> None:
    """ConfigError where something about it is wrong."""
    roles(loaded)
    proxies(loaded)
    certificate(loaded)


def roles(loaded: Loaded) -> Roles:
    """ConfigError."""
    try:
        return Roles(loaded.config.access.roles)
    except ValueError as error:
        raise loaded.section.get("access").get("roles").error(str(error)) from None


def proxies(loaded: Loaded) -> Proxies:
    """ConfigError."""
    try:
        return Proxies(loaded.config.access.trusted_proxies)
    except ValueError as error:
        raise loaded.section.get("access").get("trusted_proxies").error(str(error)) from None


def certificate(loaded: Loaded) -> Certificate | None:
    """None where the collector speaks plain HTTP. ConfigError."""
    tls = loaded.config.tls
    if tls is None:
        return None
    try:
        return Certificate(loaded.folder / tls.cert, loaded.folder / tls.key)
    except ServerError as error:
        raise loaded.error("tls", str(error)) from None


def terms(loaded: Loaded) -> Terms:
    options = loaded.config.access
    return Terms(
        session_idle_ms=round(options.session_idle_s * 1000),
        session_ms_max=round(options.session_s_max * 1000),
        access_token_ms=round(options.access_token_for_s * 1000),
        refresh_token_ms=round(options.refresh_token_for_s * 1000),
        requests_per_s=options.requests_per_s,
        requests_burst=options.requests_burst,
    )
