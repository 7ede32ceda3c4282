"""How long a refusal asks to wait, in every way in which hosts say it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from asking import failure
from chat_server import Turn

from dtbench.models.endpoint.rate_limit import RateLimit, read_rate_limit

GEMINI = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota, please check your plan and billing details. For more information "
        "on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. Please retry in 34.07s.",
        "status": "RESOURCE_EXHAUSTED",
    }
}


def google(quota: str, delay: str | None) -> list[dict[str, Any]]:
    """A refusal of Gemini's OpenAI form, which is a list."""
    violations = [{"quotaMetric": "generate_requests", "quotaId": quota, "quotaValue": "10"}]
    details: list[dict[str, Any]] = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}]
    if delay is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return [{"error": {**GEMINI["error"], "details": details}}]


def openai(message: str, code: str = "rate_limit_exceeded") -> dict[str, Any]:
    return {"error": {"message": message, "type": "requests", "code": code}}


def refusal(body: object = None, **headers: str) -> RateLimit:
    """What a 429 with this body and these headers says."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_rate_limit(429, named, b"" if body is None else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("limit", "wait"),
    [
        (refusal(retry_after="20"), 20),
        (refusal(retry_after="20", retry_after_ms="19500"), 19.5),
        (refusal(retry_after="1m30s"), 90),
        (refusal(retry_after="soon"), None),
        (refusal(x_ratelimit_reset_requests="6m0s", x_ratelimit_reset_tokens="120ms"), 0.12),
        (
            refusal(x_ratelimit_reset_requests="6s", x_ratelimit_remaining_requests="0", x_ratelimit_reset_tokens="1s"),
            6,
        ),
        (refusal(x_ratelimit_reset="42"), 42),
        (refusal(google("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "34s")), 34),
        (refusal(google("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "34.074824224s")), 34.074824224),
        (refusal(google("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", None)), 34.07),
        (refusal([GEMINI]), 34.07),
        (refusal(openai("Rate limit reached on requests per min (RPM): Limit 3. Please try again in 20s.")), 20),
        (refusal(openai("Rate limit reached on tokens per min (TPM). Please try again in 1m12.5s. Visit ...")), 72.5),
        (refusal(openai("Rate limit reached on tokens per min (TPM). Please try again in 120ms.")), 0.12),
        (refusal(openai("Requests have exceeded the call rate limit. Please retry after 34 seconds.")), 34),
        (refusal({"message": "Requests rate limit exceeded"}), None),
        (refusal({"detail": "slow down: 10 requests in 60 s are allowed"}), None),
        (refusal({"error": {"details": "none", "message": None}}), None),
        (refusal({"error": {"details": [{"retryDelay": 34}, 7]}}), None),
        (refusal([[], 3]), None),
    ],
)
def test_the_wait_is_read_wherever_a_host_says_it(limit: RateLimit, wait: float | None) -> None:
    assert limit.wait == (None if wait is None else pytest.approx(wait))
    assert not limit.used_up


@pytest.mark.parametrize("scale", [1, 1000], ids=["seconds", "milliseconds"])
def test_a_reset_may_be_a_moment(scale: int) -> None:
    wait = refusal(x_ratelimit_reset=str(int((time.time() + 100) * scale))).wait
    assert wait is not None
    assert 98 <= wait <= 100


@pytest.mark.parametrize(
    "limit",
    [
        refusal(google("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "34s")),
        refusal(openai("You exceeded your current quota, please check your plan.", "insufficient_quota")),
        refusal(openai("Rate limit reached on requests per day (RPD): Limit 200, Used 200. Try again in 7m12s.")),
        refusal({"error": {"message": "Rate limit exceeded: free-models-per-day", "code": 429}}),
        refusal({"error": {"message": "Insufficient Balance"}}),
    ],
)
def test_a_quota_of_a_day_or_of_an_account_is_told_from_a_limit_of_a_minute(limit: RateLimit) -> None:
    assert limit.used_up


@pytest.mark.parametrize(
    ("status", "headers", "too_many"),
    [(429, {}, True), (503, {"retry-after": "2"}, True), (503, {}, False), (500, {"retry-after": "2"}, False)],
)
def test_a_refusal_of_too_many_requests_is_a_429_or_a_503_that_says_how_long(
    status: int, headers: dict[str, str], too_many: bool
) -> None:
    error = failure(Turn(status=status, headers=headers))
    assert (error.again, error.too_many, error.used_up) == (True, too_many, False)


def test_a_payment_that_is_required_is_a_quota_that_is_used_up() -> None:
    error = failure(Turn(status=402, body=b'{"error": {"message": "Insufficient Balance"}}'))
    assert (error.again, error.too_many, error.used_up) == (False, False, True)


def test_an_error_keeps_what_it_knows_under_other_words() -> None:
    error = failure(Turn(status=429, body=json.dumps(google("X-PerDay", "3s")).encode()))
    other = error.reworded("no")
    assert (str(other), other.again, other.retry_after, other.too_many, other.used_up) == ("no", True, 3, True, True)
