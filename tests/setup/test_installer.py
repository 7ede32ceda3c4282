from __future__ import annotations

import sys
from pathlib import Path

import pytest
from installer import pip_settings, uv_settings


def test_pip_settings_reach_uv_under_its_own_names() -> None:
    pip = {"find-links": "a\nb", "index-url": "https://index.example/simple", "cert": "ca.pem", "timeout": "180"}
    assert uv_settings(pip, {}) == {
        "UV_FIND_LINKS": "a,b",
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "SSL_CERT_FILE": "ca.pem",
        "UV_HTTP_TIMEOUT": "180",
    }


def test_what_the_user_told_uv_stands_above_what_pip_was_told() -> None:
    assert uv_settings({"cert": "pip.pem", "find-links": "a"}, {"SSL_CERT_FILE": "uv.pem"}) == {"UV_FIND_LINKS": "a"}


def test_settings_that_uv_has_no_use_for_are_left_out() -> None:
    assert uv_settings({"disable-pip-version-check": "1", "extra-index-url": "https://more.example"}, {}) == {}


def test_pip_is_asked_for_its_files_and_its_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nfind-links = from-file\ntimeout = 7\n[install]\ntimeout = 8\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_FIND_LINKS", "from-variable")
    found = pip_settings(sys.executable)
    assert found["find-links"] == "from-variable"
    assert found["timeout"] == "8"
