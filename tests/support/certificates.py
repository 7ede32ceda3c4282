"""Certificates made for a test, for whoever trusts them by SSL_CERT_FILE."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl command to make a certificate with"
)


def self_signed(folder: Path, name: str = "IP:127.0.0.1") -> Path:
    """A certificate for a name; its key lies beside it."""
    certificate = folder / "server.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "1", "-subj", "/CN=localhost", "-addext", f"subjectAltName={name}"]
    key = certificate.with_suffix(".key")
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate


def server_context(certificate: Path) -> ssl.SSLContext:
    """What a server with this certificate speaks TLS by."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return made
