"""What is known as a secret, in which forms it is found, and what is left as it is."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from run_records import SETTINGS, TASK, record

from dtbench.harness.core.schema import Response
from dtbench.harness.store import known_secrets
from dtbench.harness.store.known_secrets import MASK, SecretMatcher, remember_login, remember_secret, secret_matcher
from dtbench.harness.store.redact import mask_message, mask_record, mask_response, mask_text
from dtbench.harness.store.run_folder import RunFolder

KEY = "Zq7Kp-R3dFox-Jumps0ver-Lazy"


@pytest.fixture(autouse=True)
def as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test makes known is not known to the next."""
    monkeypatch.setattr(known_secrets, "_KNOWN", type(known_secrets._KNOWN)())


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"key {KEY}.", f"key {MASK}."),
        (f"{KEY} and {KEY}", f"{MASK} and {MASK}"),
        (f"{KEY} {KEY}", MASK),
        (f"a {KEY[:12]} b", f"a {MASK} b"),
        (f"a {KEY[5:17]} b", f"a {MASK} b"),
        (f"a{KEY[:15]}b", f"a{MASK}b"),
        (f"a {KEY[:11]} b", f"a {KEY[:11]} b"),
        (f"a {KEY[:6]}\n  {KEY[6:]} b", f"a {MASK} b"),
        (f"a {KEY[:6]}\\n{KEY[6:]} b", f"a {MASK} b"),
        (f"a {KEY[:3]}\u00ad\u200b{KEY[3:]} b", f"a {MASK} b"),
        (f"a {KEY.upper()} b", f"a {MASK} b"),
        (f"ä {KEY} ß\ud800", f"ä {MASK} ß\ud800"),
        ("", ""),
        ("nothing of it", "nothing of it"),
    ],
)
def test_a_secret_is_masked_whole_in_pieces_and_broken(text: str, masked: str) -> None:
    remember_secret(KEY)
    assert secret_matcher().mask(text) == masked


@pytest.mark.parametrize("spelling", ["%{:02X}", "&#{:d};", "&#x{:X};", "\\u{:04x}", "\\x{:02x}"])
def test_a_secret_whose_every_character_is_escaped_is_masked(spelling: str) -> None:
    remember_secret(KEY)
    written = "".join(spelling.format(ord(sign)) for sign in KEY)
    kept = secret_matcher().mask(f"a {written} b")
    assert kept in {f"a {MASK} b", f"a \\{MASK} b"}


@pytest.mark.parametrize("before", ["", "k", "ke", "key", "user:"])
def test_base64_is_masked_wherever_the_secret_begins_in_it(before: str) -> None:
    remember_secret(KEY)
    encoded = base64.b64encode(f"{before}{KEY} and more".encode()).decode()
    kept = secret_matcher().mask(encoded)
    assert MASK in kept
    shown = kept.partition(MASK)[0]
    assert KEY[:2] not in base64.b64decode(shown + "A" * (-len(shown) % 4)).decode("utf-8", "replace")[len(before) :]


def test_a_login_is_masked_by_its_password_and_its_base64_and_not_by_its_user() -> None:
    remember_login("administrator:correct-horse")
    encoded = base64.b64encode(b"administrator:correct-horse").decode()
    said = f"administrator, correct-horse, {encoded}, administrator:correct-horse"
    assert secret_matcher().mask(said) == f"administrator, {MASK}, {MASK}, {MASK}"


def test_of_a_short_login_only_what_is_no_word_is_masked() -> None:
    remember_login("me:dog")
    assert secret_matcher().mask("me and a dog: bWU6ZG9n, me:dog") == f"me and a dog: {MASK}, me:dog"


@pytest.mark.parametrize(
    "value", ["/srv/someone/keys/service.json", "~/keys/service-account.json", "https://there/a/b"]
)
def test_of_a_value_that_is_a_path_only_the_whole_is_masked(value: str) -> None:
    matcher = SecretMatcher([value])
    assert matcher.mask(f"{value} was read") == f"{MASK} was read"
    assert matcher.mask(f"{value[:-6]} was read") == f"{value[:-6]} was read"


def test_short_secrets_and_empty_ones_mask_nothing() -> None:
    remember_secret("dog", "", None, "EMPTY", " a ")
    assert secret_matcher().mask("a dog in an EMPTY street") == "a dog in an EMPTY street"


def test_a_secret_that_was_named_is_known_from_then_on_as_is_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert mask_text(KEY) == KEY
    remember_secret(KEY)
    assert mask_text(KEY) == MASK
    monkeypatch.setenv("MINE_API_KEY", "another-secret-of-mine")
    assert mask_text("another-secret-of-mine") == MASK


def test_a_response_and_a_record_are_masked_in_every_text_but_what_came_from_the_data() -> None:
    remember_secret(KEY)
    told = Response(f"It is {KEY}", finish_reason=KEY, usage={f"x{KEY}": 3, "prompt_tokens": 4})
    assert mask_response(told) == Response(
        f"It is {MASK}", finish_reason=MASK, usage={f"x{MASK}": 3, "prompt_tokens": 4}
    )
    clean = Response("It is (A)")
    assert mask_response(clean) is clean
    kept = {"id": KEY, "sample": 0, "groups": {"topic": KEY}}
    masked = mask_record({**kept, "verdict": {"why": {"clear": f"as {KEY} says", "right": ["no", 7, None, True]}}})
    assert masked == {**kept, "verdict": {"why": {"clear": f"as {MASK} says", "right": ["no", 7, None, True]}}}


def test_a_folder_stores_no_secret_in_a_record_a_summary_or_its_settings(tmp_path: Path) -> None:
    remember_secret(KEY)
    odd = {**record(0), "verdict": {"why": {"clear": f"{KEY[:9]}\n{KEY[9:]}"}}}
    with RunFolder.start(tmp_path / "run", {**SETTINGS, "model": {"name": "x", "version": KEY}}) as folder:
        folder.append(TASK, odd)
        folder.append(TASK, record(1))
        folder.note_preflight({"said": KEY})
        folder.write_summary({"finish_reasons": {KEY: 3}})
        folder.finish("done")
    for path in (tmp_path / "run").iterdir():
        assert KEY[:9] not in path.read_text(), path
    assert [*folder.every_record_as(TASK, dict)] == [{**odd, "verdict": {"why": {"clear": MASK}}}, record(1)]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"-M api_key={KEY}: an endpoint has no such option", f"-M api_key={MASK} an endpoint has no such option"),
        (f'-M headers={{"x-api-key":"{KEY}"}}', f'-M headers={{"x-api-key":"{MASK}"}}'),
        ("-M max_tokens=5000000, stop_token=<|im_end|>", "-M max_tokens=5000000, stop_token=<|im_end|>"),
        ("Invalid token: see the docs", "Invalid token: see the docs"),
    ],
)
def test_a_message_hides_what_stands_behind_a_secrets_name(said: str, shown: str) -> None:
    assert mask_message(said) == shown
