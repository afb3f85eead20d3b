"""Messages in the words of the house: templates of its own in the place of ours, for all channels or for one.

A template that fails while a message is made must not cost that message: then our own words go out, the failure is
logged when it is new, and counted.
"""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, Counter

from agent.options import ConfigError
from collector.config import Loaded
from collector.messages import Message
from rules.times.zones import Zone, zone_named

log = logging.getLogger(__name__)

TITLE, TEXT, HTML = "title.txt", "text.txt", "mail.html"
NAMES = (TITLE, TEXT, HTML)
LETTERS_MAX = 100_000


class Wording:
    """`templates` by file name, those of a channel by `CHANNEL/name`."""

    def __init__(
        self, templates: dict[str, Template], registry: CollectorRegistry, zone: str = "UTC"
    ) -> None:
        self._templates, self._zone = templates, zone_named(zone)
        self._told: set[str] = set()
        self._errors = Counter(
            "watchkeeper_template_errors", "Messages that a template failed to make", registry=registry
        )

    def dress(self, message: Message) -> Message:
        """The message as it is to be read."""
        title, text, html = (self._made(name, message) for name in NAMES)
        notice = message.notice
        if title or text:
            notice = replace(notice, title=title or notice.title, text=text or notice.text)
        return replace(message, notice=notice, html=html)

    def _made(self, name: str, message: Message) -> str:
        """What the template makes; "" when there is none, or none that works."""
        whole = f"{message.notice.channel}/{name}"
        template = self._templates.get(whole) or self._templates.get(name)
        if template is None:
            return ""
        try:
            return template.render(_given(message, self._zone)).strip()[:LETTERS_MAX]
        except Exception as error:  # noqa: BLE001 - a template may do whatever Python can; the message must go out
            self._errors.inc()
            if name not in self._told:
                self._told.add(name)
                log.error("The template %s fails, so our own words are used: %s", template.filename, error)  # noqa: TRY400
            return ""


def load_wording(loaded: Loaded, registry: CollectorRegistry) -> Wording:
    """The templates of the folder that the config names. ConfigError when one of them is not right."""
    if loaded.config.templates is None:
        return Wording({}, registry)
    folder = loaded.folder / loaded.config.templates
    if not folder.is_dir():
        raise loaded.error("templates", f"{folder} is not a folder; make it, or leave the key out")
    channels = {options.name for options in loaded.config.channels}
    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=_is_html)
    found: dict[str, Template] = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(file.relative_to(folder))
        channel, _, last = name.rpartition("/")
        if last not in NAMES or (channel and channel not in channels):
            raise ConfigError(
                str(file),
                1,
                name,
                f"nothing is made of it; what can be written anew is {', '.join(NAMES)}, "
                "here or in a folder that is called as a channel is",
            )
        found[name] = _compiled(environment, file, name)
    return Wording(found, registry, loaded.config.zone)


def _compiled(environment: SandboxedEnvironment, file: Path, name: str) -> Template:
    try:
        code = environment.compile(file.read_text(encoding="utf-8"), name, str(file))
        return Template.from_code(environment, code, environment.make_globals(None))
    except TemplateError as error:
        raise ConfigError(str(file), getattr(error, "lineno", None) or 1, name, str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(file), 1, name, f"it cannot be read: {error}") from None


def _is_html(name: str | None) -> bool:
    return name is not None and name.endswith(".html")


def _given(message: Message, zone: Zone) -> dict[str, object]:
    """What a template may name."""
    notice = message.notice
    return {
        "incident": notice.incident,
        "channel": notice.channel,
        "reason": notice.reason,
        "severity": notice.severity,
        "host": notice.host,
        "title": message.title,
        "text": notice.text,
        "started_at": _moment(notice.started_at, zone),
        "resolved_at": _moment(notice.resolved_at, zone),
        "alerts": notice.alerts,
        "link": message.link,
        "actions": message.actions,
        "perhaps_again": message.perhaps_again,
    }


def _moment(at: int | None, zone: Zone) -> datetime | None:
    return datetime.fromtimestamp(at / 1000, zone) if at is not None else None
