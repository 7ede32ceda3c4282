"""Endpoints behind TLS, with a certificate made for the test."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import PROMPT, answers
from certificates import needs_openssl, self_signed, server_context
from chat_server import Turn, chatting

from dtbench.harness.core.errors import MachineryError

pytestmark = needs_openssl


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


def test_a_trusted_endpoint_is_asked_over_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    turns = [Turn("a" * 500_000), Turn("b", close=True), Turn("c", framing="chunks")]
    with chatting(*turns, tls=server_context(certificate)) as chat:
        told = answers(chat, PROMPT, PROMPT, PROMPT)
        assert chat.url.startswith("https://")
    assert [one.text for one in told] == [turn.text for turn in turns]


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with chatting(tls=server_context(certificate)) as chat, pytest.raises(MachineryError) as raised:
        answers(chat, PROMPT)
    assert "self-signed certificate" in str(raised.value)
    assert chat.looked_up == []


def test_plain_http_where_tls_is_spoken_is_one_clear_error(certificate: Path) -> None:
    with chatting(tls=server_context(certificate)) as chat:
        chat.url = chat.url.replace("https", "http")
        with pytest.raises(
            MachineryError, match=r"\(the connection was closed without a reply; does it speak https\?\)"
        ):
            answers(chat, PROMPT)
