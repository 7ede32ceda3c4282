"""Endpoints behind TLS, with a certificate made for the test."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from asking import PROMPT, answers
from chat_server import Turn, chatting

from dtbench.harness.core.errors import MachineryError

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command to make a certificate with")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(path), "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made


def test_a_trusted_endpoint_is_asked_over_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    turns = [Turn("a" * 500_000), Turn("b", close=True), Turn("c", framing="chunks")]
    with chatting(*turns, tls=context(certificate)) as chat:
        told = answers(chat, PROMPT, PROMPT, PROMPT)
        assert chat.url.startswith("https://")
    assert [one.text for one in told] == [turn.text for turn in turns]


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with chatting(tls=context(certificate)) as chat, pytest.raises(MachineryError) as raised:
        answers(chat, PROMPT)
    assert "self-signed certificate" in str(raised.value)
    assert chat.looked_up == []


def test_plain_http_where_tls_is_spoken_is_one_clear_error(certificate: Path) -> None:
    with chatting(tls=context(certificate)) as chat:
        chat.url = chat.url.replace("https", "http")
        with pytest.raises(
            MachineryError, match=r"\(the connection was closed without a reply; does it speak https\?\)"
        ):
            answers(chat, PROMPT)
