"""Who may what, for how long, and how often, as it is written in the config."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

DAY_S = 86_400


class AccessOptions(Struct, kw_only=True, frozen=True):
    """Who may what, for how long, and how often.

    roles: what else a role may do than by default: member and viewer nothing, owner and admin all; or more roles
    session_idle: a browser is logged out when nothing came from it for so long
    session_max: and at the latest after this
    access_token_for: how long the token of a program that acts for a user holds, until it is refreshed
    refresh_token_for: how long it can be refreshed before its user has to log in again
    requests_per_s: how often each user and token may ask, in the long run; who does not say who they are, half as often
    requests_burst: how often they may ask at once
    status_page: true shows /status to everybody; it names no host
    trusted_proxies: addresses or networks of proxies that say truly for whom they ask
    """

    roles: Annotated[dict[str, tuple[str, ...]], Meta(max_length=100)] = {}
    session_idle_s: Annotated[float, Meta(ge=60, le=90 * DAY_S)] = DAY_S / 2
    session_s_max: Annotated[float, Meta(ge=60, le=400 * DAY_S)] = 7 * DAY_S
    access_token_for_s: Annotated[float, Meta(ge=10, le=DAY_S)] = 1_800
    refresh_token_for_s: Annotated[float, Meta(ge=60, le=400 * DAY_S)] = 30 * DAY_S
    requests_per_s: Annotated[float, Meta(ge=0.1, le=100_000)] = 20
    requests_burst: Annotated[int, Meta(ge=2, le=1_000_000)] = 200
    status_page: bool = False
    trusted_proxies: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
