"""URLs of endpoints: what is understood, what is refused, and what is never shown."""

from __future__ import annotations

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.models.endpoint.address import complete_url, parse_address, parse_addresses


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1"),
        ("HTTPS://API.Example.com/v1/", "https://api.example.com/v1"),
        ("http://host/v1/chat/completions", "http://host/v1"),
        ("https://host/openai/deployment/v1", "https://host/openai/deployment/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("http://me:secret@host:81/v1", "http://host:81/v1"),
        (
            "https://me.openai.azure.com/openai/deployments/audio/chat/completions?api-version=2025-04-01-preview",
            "https://me.openai.azure.com/openai/deployments/audio?api-version=2025-04-01-preview",
        ),
    ],
)
def test_the_base_of_the_api_is_found_in_what_users_write(url: str, shown: str) -> None:
    assert str(parse_address(url)) == shown


@pytest.mark.parametrize(
    "url",
    [
        *("http://", "ftp://host", "http:///v1", "http://host:99999", "http://host:0", "http://h h", "http://hö", ""),
        *("http://my..host/v1", "http://.host", f"http://{'x' * 64}.example"),
    ],
)
def test_what_is_no_url_is_the_users_to_correct(url: str) -> None:
    with pytest.raises(UserError, match=r"^--model .* not the URL of an endpoint; http://127"):
        parse_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@host/v1?api_key=secret",
        "http://host/v1?key=secret",
        "http://me:secret@host/v1#x",
        "ftp://me:secret@host/v1",
        "http://me:secret@host:x",
    ],
)
def test_a_url_that_is_refused_does_not_show_its_password(url: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_address(url)
    assert "secret" not in str(raised.value)


def test_urls_are_parted_by_commas_and_repeated_ones_count_once() -> None:
    assert [str(one) for one in parse_addresses("http://a/v1, http://b:1,http://a")] == ["http://a/v1", "http://b:1/v1"]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("localhost:8000", "http://localhost:8000"),
        ("localhost", "http://localhost"),
        ("127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("10.0.0.7", "http://10.0.0.7"),
        ("[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("gpu-3.cluster.example:8000", "http://gpu-3.cluster.example:8000"),
        ("a:8000, b:8000/v1", "http://a:8000,http://b:8000/v1"),
        ("http://a:80,b:8000", "http://a:80,http://b:8000"),
    ],
)
def test_an_endpoint_needs_no_scheme(text: str, url: str) -> None:
    assert complete_url(text) == url
    assert parse_addresses(complete_url(text))


@pytest.mark.parametrize(
    "text",
    [
        "https://a/v1",
        "Qwen/Qwen2.5-Omni-7B",
        "./localhost:8000",
        "my.models:Greedy",
        "mini",
        "org/model-7b",
        "/srv/m",
        "",
    ],
)
def test_what_is_no_host_stays_as_it_is(text: str) -> None:
    assert complete_url(text) == text
