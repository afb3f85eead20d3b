"""The receivers as a process of their own, as whole-path tests start them."""

from __future__ import annotations

import json
import signal
import smtplib
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record.jsonl"


@pytest.fixture
def running(record: Path) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.receivers", "--record", str(record)]
    with subprocess.Popen(command, cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def post(running: dict[str, Any], path: str, body: Any) -> tuple[int, str]:
    url = f"http://127.0.0.1:{running['http_port']}{path}"
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()


def mail(running: dict[str, Any]) -> None:
    with smtplib.SMTP("127.0.0.1", running["smtp_port"], timeout=5) as client:
        client.sendmail("wk@example.org", ["ops@example.org"], "Subject: hello\r\n\r\nworld\r\n")


def test_they_write_down_what_they_take_and_obey_orders(running: dict[str, Any], record: Path) -> None:
    assert post(running, running["slack_path"], {"text": "a &amp; b"}) == (200, "ok")
    assert post(running, running["slack_path"], {"text": "a & b"}) == (400, "invalid_payload")
    assert post(running, "/hook", {"title": "t"}) == (200, "taken")
    mail(running)
    assert post(running, "/-/behave", {"http": "status:503", "smtp": "refuse"}) == (200, "ok")
    assert post(running, "/hook", {})[0] == 503
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        mail(running)
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [(line["kind"], line["title"]) for line in lines] == [
        ("slack", "a &amp; b"),
        ("post", "t"),
        ("mail", "hello"),
    ]
    assert all(line["at_ms"] > 0 for line in lines)
