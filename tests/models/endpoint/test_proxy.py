"""Endpoints that are reached through the proxy that the environment names."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
from asking import PROMPT, answers
from certificates import needs_openssl, self_signed, server_context
from chat_server import Chat, Turn, chatting, nobody
from loopback_proxy import proxying

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.models.endpoint.address import parse_address
from dtbench.models.endpoint.proxy import find_proxy
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import EndpointSettings

FAR = "model.example"
"""A name that only the proxy knows."""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def from_afar(chat: Chat) -> Chat:
    """The endpoint under the name that only the proxy knows."""
    chat.url = chat.url.replace("127.0.0.1", FAR)
    return chat


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_plain_endpoint_is_asked_through_the_proxy(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with chatting(Turn("(B)"), Turn("(C)")) as chat, proxying() as proxy:
        monkeypatch.setenv(variable, proxy.url)
        assert [one.text for one in answers(from_afar(chat), PROMPT, PROMPT)] == ["(B)", "(C)"]
        assert proxy.asked[-1] == f"POST {chat.url}/chat/completions HTTP/1.1"
        assert chat.asked[0].headers["host"] == chat.url.split("/")[2]


@needs_openssl
def test_an_endpoint_behind_tls_is_asked_through_a_tunnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = self_signed(tmp_path, f"DNS:{FAR}")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with chatting(Turn("(B)"), Turn("(C)"), tls=server_context(certificate)) as chat, proxying("me:hid den") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http://", "http://me:hid%20den@"))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
        assert [one.text for one in answers(from_afar(chat), PROMPT, PROMPT)] == ["(B)", "(C)"]
        assert set(proxy.asked) == {f"CONNECT {chat.url.split('/')[2]} HTTP/1.1"}
        assert "sk-very-secret" not in "".join(proxy.heads)
        assert "proxy-authorization" not in chat.asked[0].headers
        with proxying(status=403) as other:
            monkeypatch.setenv("HTTPS_PROXY", other.url)
            with pytest.raises(MachineryError, match=rf"the proxy {other.url} of HTTPS_PROXY answered 403\)"):
                answers(chat, PROMPT)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("given", "complaint"),
    [("", "asks for a login (407): {variable}=http://USER:PASSWORD@{host}"), ("me:wrong@", "refuses the login that")],
    ids=["none", "wrong"],
)
def test_a_proxy_that_wants_a_login_says_so_in_one_line(
    scheme: str, given: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"{scheme.upper()}_PROXY"
    with proxying("me:hidden") as proxy:
        host = proxy.url.partition("://")[2]
        monkeypatch.setenv(variable, f"http://{given}{host}")
        with pytest.raises(MachineryError) as raised:
            Server.connect(f"{scheme}://{FAR}/v1", EndpointSettings())
    told = str(raised.value)
    assert f"(the proxy {proxy.url} {complaint.format(variable=variable, host=host)}" in told
    assert "\n" not in told
    assert "wrong" not in told


def test_a_login_goes_to_the_proxy_and_no_further(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with chatting() as chat, proxying("me:hidden") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("http://", "http://me:hidden@"))
        with caplog.at_level(logging.INFO):
            answers(from_afar(chat), PROMPT)
        assert "proxy-authorization" not in chat.asked[0].headers
        described = Server.connect(chat.url, EndpointSettings()).describe()
        assert described["proxy"] == proxy.url
    assert f"{chat.url} is asked through the proxy {proxy.url} of HTTP_PROXY" in caplog.text
    assert "hidden" not in caplog.text + json.dumps(described)


def test_a_proxy_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    away = nobody().removesuffix("/v1")
    monkeypatch.setenv("HTTP_PROXY", away)
    with pytest.raises(MachineryError) as raised:
        Server.connect(f"http://{FAR}/v1", EndpointSettings())
    assert f"(the proxy {away} of HTTP_PROXY cannot be reached: connection refused)" in str(raised.value)


def test_no_server_on_this_machine_is_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, nobody())
    with chatting(Turn("(B)")) as chat:
        assert answers(chat, PROMPT)[0].text == "(B)"
    for host in ("localhost", "[::1]", "127.0.0.2", "a.localhost"):
        assert find_proxy(parse_address(f"http://{host}:8000/v1")) is None


@pytest.mark.parametrize(
    ("no_proxy", "goes_through"),
    [
        ("", True),
        ("*", False),
        ("model.example", False),
        ("example", False),
        (".example", False),
        ("*.example", False),
        ("other, Model.Example ", False),
        ("del.example", True),
        ("model.example:8000", False),
        ("model.example:80", True),
        ("10.0.0.0/8", True),
        (",", True),
    ],
)
def test_names_that_are_exempt_are_asked_directly(no_proxy: str, goes_through: bool) -> None:
    environment = {"HTTP_PROXY": "proxy:3128", "NO_PROXY": no_proxy}
    assert bool(find_proxy(parse_address("http://model.example:8000/v1"), environment)) is goes_through


@pytest.mark.parametrize(
    ("no_proxy", "goes_through"),
    [("10.0.0.0/8", False), ("10.1.2.3", False), ("10.1.2.3:8000", False), ("10.1.2.4/31", True), ("10.1", True)],
)
def test_networks_that_are_exempt_are_asked_directly(no_proxy: str, goes_through: bool) -> None:
    environment = {"HTTP_PROXY": "proxy:3128", "NO_PROXY": no_proxy}
    assert bool(find_proxy(parse_address("http://10.1.2.3:8000/v1"), environment)) is goes_through


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({"HTTP_PROXY": "a:1"}, "https://x", None),
        ({"HTTPS_PROXY": "a:1"}, "http://x", None),
        ({"HTTP_PROXY": "a:1", "http_proxy": "b:1"}, "http://x", "http://b:1"),
        ({"HTTP_PROXY": "a:1", "http_proxy": ""}, "http://x", None),
        ({"ALL_PROXY": "https://a", "HTTPS_PROXY": "http://b"}, "https://x", "http://b"),
        ({"ALL_PROXY": "https://a", "HTTPS_PROXY": "http://b"}, "http://x", "https://a"),
        ({"HTTP_PROXY": "http://u:p@[::1]:3/"}, "http://x", "http://[::1]:3"),
    ],
)
def test_the_variable_that_fits_best_is_taken(environment: Mapping[str, str], url: str, proxy: str | None) -> None:
    found = find_proxy(parse_address(url), environment)
    assert (None if found is None else str(found)) == proxy


@pytest.mark.parametrize("value", ["socks5://me:hidden@proxy:1080", "http://", "http://proxy:port", "http://[", "ä:1"])
def test_a_proxy_of_another_kind_is_refused_with_a_way_out(value: str) -> None:
    with pytest.raises(UserError, match=r"ALL_PROXY names .*: a proxy such as .*; NO_PROXY=x goes without") as raised:
        find_proxy(parse_address("http://x"), {"ALL_PROXY": value})
    assert "hidden" not in str(raised.value)
