"""The mail channel against a real SMTP server: one that takes, refuses, hangs, drips, wants a login, shows a
certificate."""

from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from agent.options import Secret
from collector.channels import Failed, Message, Sent
from collector.channels.mail import Channel, Options
from collector.messages import Action
from tests.collector.owed import notice
from tests.receivers import MailReceiver

LINK = "https://wk.example.org/incidents/7"


def channel(mail: MailReceiver, **more: Any) -> Channel:
    options = {
        "name": "mail",
        "to": ["ops@example.org"],
        "sender": "Watchkeeper <wk@example.org>",
        "server": f"127.0.0.1:{mail.port}",
        "encryption": "none",
        "timeout_s": 2.0,
    }
    return Channel(Options(**(options | more)))


async def test_a_notice_becomes_a_mail_that_can_be_read_plain_and_as_html(mail: MailReceiver) -> None:
    told = Message(notice(title="büro: disk\r\nfull", text="97 % > 95 %\n<b>"), LINK)
    outcome = await channel(mail).send(told)
    assert outcome == Sent("the mail server answered 250 2.0.0 Taken as 1")
    (taken,) = mail.taken
    assert (taken.sender, taken.to, taken.title) == ("wk@example.org", "ops@example.org", "büro: disk full")
    assert taken.text.split() == ["97", "%", ">", "95", "%", "<b>", LINK]
    assert taken.headers["Content-Type"].startswith("multipart/alternative")
    assert "&lt;b&gt;" in taken.html
    assert "<b>" not in taken.html


async def test_every_try_of_a_notice_has_the_same_message_id_and_its_incidents_are_a_thread(
    mail: MailReceiver,
) -> None:
    sender = channel(mail)
    await sender.send(Message(notice(1), LINK))
    await sender.send(Message(notice(1), LINK, perhaps_again=True))
    await sender.send(Message(notice(2, incident=8), LINK))
    first, again, other = (taken.headers for taken in mail.taken)
    assert first["Message-ID"] == again["Message-ID"] == "<n-1@example.org>" != other["Message-ID"]
    assert first["References"] == again["References"] != other["References"]
    assert "had this before" in mail.taken[1].text
    assert "had this before" in mail.taken[1].html


async def test_what_can_be_done_is_a_line_of_the_text_and_a_button(mail: MailReceiver) -> None:
    told = Message(notice(), LINK, actions=(Action("Acknowledge", "https://wk.example.org/do/x?y=1&z=2"),))
    await channel(mail).send(told)
    assert "Acknowledge: https://wk.example.org/do/x?y=1&z=2" in mail.taken[0].text
    assert 'href="https://wk.example.org/do/x?y=1&amp;z=2"' in mail.taken[0].html


@pytest.mark.parametrize(
    ("behaviour", "answer", "closed"),
    [
        ("refuse", "the mail server answered 550 5.1.1 There is no such user here", True),
        ("busy", "the mail server answered 451 4.3.0 Try again later", False),
    ],
)
async def test_what_the_mail_server_says_is_told(
    mail: MailReceiver, behaviour: str, answer: str, closed: bool
) -> None:
    mail.behaviour = behaviour
    assert await channel(mail).send(Message(notice(), LINK)) == Failed(answer, closed=closed)


async def test_one_recipient_that_is_refused_does_not_cost_the_others_their_mail(mail: MailReceiver) -> None:
    mail.behaviour = "refuse:gone@example.org"
    outcome = await channel(mail, to=["gone@example.org", "ops@example.org"]).send(Message(notice(), LINK))
    assert isinstance(outcome, Sent)
    assert "does not take mail to gone@example.org (550)" in outcome.answer
    assert [taken.to for taken in mail.taken] == ["ops@example.org"]


async def test_nobody_there_is_a_failure_that_may_pass(mail: MailReceiver) -> None:
    with socket.socket() as taken_port:
        taken_port.bind(("127.0.0.1", 0))
        port = taken_port.getsockname()[1]
        outcome = await channel(mail, server=f"127.0.0.1:{port}").send(Message(notice(), LINK))
    assert isinstance(outcome, Failed)
    assert (outcome.permanent, outcome.unsure) == (False, False)
    assert "127.0.0.1" in outcome.answer


@pytest.mark.parametrize(
    ("behaviour", "unsure"),
    [("hang", False), ("drip", False), ("hang-after-data", True)],
    ids=["says nothing", "a byte at a time", "takes the mail and never says so"],
)
async def test_silence_ends_in_time_and_a_doubt_is_told(
    mail: MailReceiver, behaviour: str, unsure: bool
) -> None:
    mail.behaviour = behaviour
    outcome = await channel(mail, timeout_s=1.0).send(Message(notice(), LINK))
    assert isinstance(outcome, Failed)
    assert (outcome.permanent, outcome.unsure) == (False, unsure), outcome.answer


async def guarded(server_tls: ssl.SSLContext) -> MailReceiver:
    receiver = MailReceiver(tls=server_tls, login=("wk", "s3cret-word"))
    await receiver.start()
    return receiver


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


async def test_starttls_and_a_login_are_used(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    receiver = await guarded(server_tls)
    login = {"user": "wk", "password": Secret("s3cret-word")}
    outcome = await channel(receiver, encryption="starttls", ca_file=ca_file, **login).send(
        Message(notice(), LINK)
    )
    await receiver.stop()
    assert isinstance(outcome, Sent), outcome
    assert len(receiver.taken) == 1


async def test_a_wrong_password_closes_the_channel_and_the_notice_waits(
    server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    receiver = await guarded(server_tls)
    login = {"user": "wk", "password": Secret("wrong-word")}
    outcome = await channel(receiver, encryption="starttls", ca_file=ca_file, **login).send(
        Message(notice(), LINK)
    )
    await receiver.stop()
    assert isinstance(outcome, Failed)
    assert outcome.closed
    assert "535" in outcome.answer
    assert "wrong-word" not in outcome.answer


async def test_a_server_with_an_untrusted_certificate_gets_neither_login_nor_mail(
    server_tls: ssl.SSLContext,
) -> None:
    receiver = await guarded(server_tls)
    login = {"user": "wk", "password": Secret("s3cret-word")}
    outcome = await channel(receiver, encryption="starttls", **login).send(Message(notice(), LINK))
    await receiver.stop()
    assert isinstance(outcome, Failed)
    assert "certificate" in outcome.answer.lower()
    assert receiver.taken == []


async def test_a_server_without_starttls_is_not_told_in_the_clear(mail: MailReceiver) -> None:
    outcome = await channel(mail, encryption="starttls").send(Message(notice(), LINK))
    assert isinstance(outcome, Failed)
    assert mail.taken == []


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"to": ["ops"]}, "to: 'ops' is no mail address"),
        ({"sender": "a@b\nBcc: c@d"}, "from: 'a@b\\nBcc: c@d' is no mail address"),
        ({"server": "smtp://x"}, "server: 'smtp://x' is no mail server"),
        ({"user": "wk"}, "user and password go together"),
    ],
)
def test_a_mistake_is_told_in_plain_words(wrong: dict[str, Any], complaint: str) -> None:
    right = {"name": "m", "to": ["a@example.org"], "sender": "b@example.org", "server": "smtp.example.org"}
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Options(**(right | wrong))
