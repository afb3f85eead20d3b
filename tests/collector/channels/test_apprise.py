"""The Apprise channel against a real SMTP server and a real HTTP receiver, good, bad and silent."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
import time

import pytest

from agent.options import Secret
from collector.channels import Failed, Message, Sent
from collector.channels.apprise import STUCK_MAX, Channel, Options
from tests.collector.owed import notice
from tests.receivers import HttpReceiver, MailReceiver
from tests.waiting import until_it_is

LINK = "https://wk.example.org/incidents/7"
APPRISE_WAITS_S = 5.5


def channel(url: str, timeout_s: float = 5.0) -> Channel:
    return Channel(Options(name="mail", url=Secret(url), timeout_s=timeout_s))


def mailto(mail: MailReceiver, login: str = "", more: str = "", scheme: str = "mailto") -> str:
    return f"{scheme}://{login}127.0.0.1:{mail.port}/?from=wk@example.org&to=ops@example.org{more}"


async def send(url: str, message: Message | None = None, timeout_s: float = 5.0) -> Sent | Failed:
    return await channel(url, timeout_s).send(message or Message(notice(), LINK))


async def test_a_notice_becomes_a_plain_mail_with_its_title_as_subject(mail: MailReceiver) -> None:
    outcome = await send(
        mailto(mail), Message(notice(title="büro: disk\r\nfull", text="97 % > 95 %\n<b>"), LINK)
    )
    assert outcome == Sent("Sent Email to ops@example.org")
    (taken,) = mail.taken
    assert (taken.sender, taken.to, taken.title) == ("wk@example.org", "ops@example.org", "büro: disk full")
    assert taken.text.split() == ["97", "%", ">", "95", "%", "<b>", LINK]
    assert taken.headers["Content-Type"].startswith("text/plain")


async def test_the_mails_of_an_incident_are_one_thread_and_each_names_its_notice(mail: MailReceiver) -> None:
    sender = channel(mailto(mail))
    await sender.send(Message(notice(1), LINK))
    await sender.send(Message(notice(1), LINK, perhaps_again=True))
    await sender.send(Message(notice(2, incident=8), LINK))
    first, again, other = (taken.headers for taken in mail.taken)
    assert first["X-Watchkeeper-Notice"] == again["X-Watchkeeper-Notice"] == "n-1"
    assert first["References"] == again["References"] != other["References"]
    assert "had this before" in mail.taken[1].text


async def test_mails_leave_one_after_the_other_without_a_pause(mail: MailReceiver) -> None:
    """By itself Apprise would wait APPRISE_WAITS_S between two."""
    sender = channel(mailto(mail))
    began = time.monotonic()
    for number in range(3):
        await sender.send(Message(notice(number), LINK))
    assert time.monotonic() - began < APPRISE_WAITS_S


@pytest.mark.parametrize(
    ("behaviour", "answer", "permanent"),
    [
        ("refuse", "the mail server answered 550 5.1.1 There is no such user here", True),
        ("busy", "the mail server answered 451 4.3.0 Try again later", False),
    ],
)
async def test_what_the_mail_server_says_is_told(
    mail: MailReceiver, behaviour: str, answer: str, permanent: bool
) -> None:
    mail.behaviour = behaviour
    assert await send(mailto(mail)) == Failed(answer, permanent=permanent)


async def test_nobody_there_is_a_failure_that_may_pass() -> None:
    with socket.socket() as taken_port:
        taken_port.bind(("127.0.0.1", 0))
        port = taken_port.getsockname()[1]
        outcome = await send(f"mailto://127.0.0.1:{port}/?from=wk@example.org&to=ops@example.org")
    assert isinstance(outcome, Failed)
    assert (outcome.permanent, outcome.unsure) == (False, False)
    assert "Connection refused" in outcome.answer


async def with_login(
    server_tls: ssl.SSLContext, password: str, more: str
) -> tuple[MailReceiver, Sent | Failed]:
    mail = MailReceiver(tls=server_tls, login=("bob", "SECRETWORD"))
    await mail.start()
    url = mailto(mail, f"bob:{password}@", f"&mode=starttls{more}", "mailtos")
    outcome = await send(url)
    await mail.stop()
    return mail, outcome


async def test_starttls_and_a_login_are_used(server_tls: ssl.SSLContext) -> None:
    mail, outcome = await with_login(server_tls, "SECRETWORD", "&verify=no")
    assert outcome == Sent("Sent Email to ops@example.org")
    assert len(mail.taken) == 1


async def test_a_wrong_password_can_be_put_right_while_the_notice_waits(server_tls: ssl.SSLContext) -> None:
    mail, outcome = await with_login(server_tls, "SECRETWRONG", "&verify=no")
    assert isinstance(outcome, Failed)
    assert outcome.answer.startswith("the mail server answered 535")
    assert "SECRET" not in outcome.answer
    assert not outcome.permanent
    assert mail.taken == []


async def test_a_mail_server_with_an_untrusted_certificate_gets_nothing(server_tls: ssl.SSLContext) -> None:
    mail, outcome = await with_login(server_tls, "SECRETWORD", "")
    assert isinstance(outcome, Failed)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.answer
    assert mail.taken == []


@pytest.mark.parametrize("behaviour", ["hang", "drip", "hang-after-data"])
async def test_silence_ends_in_time_and_leaves_a_doubt(mail: MailReceiver, behaviour: str) -> None:
    mail.behaviour = behaviour
    began = time.monotonic()
    outcome = await send(mailto(mail), timeout_s=1.0)
    assert time.monotonic() - began < 1.5
    assert outcome == Failed("not done within 1 s; it may still get through", unsure=True)


async def test_a_slow_server_gets_the_notice_once_and_its_late_yes_counts(mail: MailReceiver) -> None:
    mail.behaviour, mail.slow_s = "slow", 1.6
    sender = channel(mailto(mail), timeout_s=1.0)
    outcome = await sender.send(Message(notice(), LINK))
    late = Failed("not done within 1 s; it may still get through", unsure=True)
    assert outcome == late
    async with asyncio.timeout(20):
        while outcome == late:
            outcome = await sender.send(Message(notice(), LINK))
    assert outcome == Sent("Sent Email to ops@example.org")
    assert len(mail.taken) == 1


async def test_a_server_cut_off_after_the_message_leaves_a_doubt(mail: MailReceiver) -> None:
    mail.behaviour = "hang-after-data"
    outcome = await send(mailto(mail, more="&cto=0.3"))
    assert len(mail.taken) == 1
    assert outcome == Failed(
        'Sending email to "ops@example.org" failed: Connection unexpectedly closed: timed out', unsure=True
    )


async def test_no_more_than_a_few_tries_hang_at_a_time_and_their_end_makes_room(mail: MailReceiver) -> None:
    mail.behaviour = "hang"
    sender = channel(mailto(mail))
    sender._try_s = 0.1
    outcomes = [await sender.send(Message(notice(number), LINK)) for number in range(STUCK_MAX + 2)]
    assert {outcome.answer for outcome in outcomes[:STUCK_MAX]} == {
        "not done within 0.1 s; it may still get through"
    }
    full = f"{STUCK_MAX} earlier tries hang at the far side; the next begins when one has ended"
    assert outcomes[STUCK_MAX:] == [Failed(full)] * 2
    await until_it_is(lambda: mail.tries >= STUCK_MAX)
    assert len(tries_of("channel mail")) == STUCK_MAX
    await mail.stop()
    for thread in tries_of("channel mail"):
        await asyncio.to_thread(thread.join, 10.0)
    mail.behaviour, sender._try_s = "accept", 5.0
    await mail.start(mail.port)
    assert isinstance(await sender.send(Message(notice(99), LINK)), Sent)


def tries_of(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


async def test_any_other_service_of_apprise_works_too(http: HttpReceiver) -> None:
    url = f"json://127.0.0.1:{http.port}/SECRETPATH"
    assert await send(url) == Sent("Sent JSON POST notification.")
    assert http.taken[0].body["title"] == "web-1: disk / is at 97 %"
    assert http.taken[0].body["type"] == "failure"
    await send(url, Message(notice(reason="resolved"), LINK))
    assert http.taken[1].body["type"] == "success"


@pytest.mark.parametrize(
    ("behaviour", "closed"),
    [("status:500", False), ("status:429", False), ("status:404", True), ("redirect", True)],
)
async def test_an_http_status_says_whether_trying_again_makes_sense(
    http: HttpReceiver, behaviour: str, closed: bool
) -> None:
    http.behaviour = behaviour
    outcome = await send(f"json://127.0.0.1:{http.port}/SECRETPATH")
    assert isinstance(outcome, Failed)
    assert outcome.closed is closed
    assert "SECRET" not in outcome.answer
    assert [method for method, _ in http.requests] == ["POST"]


async def test_a_service_is_given_the_pauses_that_apprise_gives_it(http: HttpReceiver) -> None:
    sender = channel(f"mmost://127.0.0.1:{http.port}/3ccdd113474722377935511fc85d3dd4")
    assert sender.timeout_s > 5.0
    sender = channel(f"json://127.0.0.1:{http.port}/")
    assert sender.timeout_s == 5.0
    sender._pause_s = 0.3
    began = time.monotonic()
    for number in range(3):
        assert isinstance(await sender.send(Message(notice(number), LINK)), Sent)
    assert 0.6 <= time.monotonic() - began < 1.5


async def test_no_secret_gets_into_any_log_however_much_is_logged(
    http: HttpReceiver, capfd: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    level, everything = root.level, logging.StreamHandler()
    root.setLevel(logging.DEBUG)
    root.addHandler(everything)
    try:
        taken = await send(f"json://user:SECRETWORD@127.0.0.1:{http.port}/SECRETPATH")
        refused = await send("json://user:SECRETWORD@127.0.0.1:1/SECRETPATH")
    finally:
        root.removeHandler(everything)
        root.setLevel(level)
    assert isinstance(taken, Sent)
    assert "Connection refused" in refused.answer
    assert "SECRET" not in taken.answer + refused.answer + "".join(capfd.readouterr())


async def test_a_notice_that_is_too_long_for_a_service_is_cut_not_split(mail: MailReceiver) -> None:
    assert isinstance(await send(mailto(mail), Message(notice(text="x" * 100_000), LINK)), Sent)
    assert len(mail.taken) == 1
