"""Read a response or an error from the reply to a chat request."""

from __future__ import annotations

import json

from dtbench.harness.core.errors import ModelError, one_line
from dtbench.harness.core.schema import Response
from dtbench.models.endpoint.message import message_text
from dtbench.models.endpoint.reply import Reply

MAX_MESSAGE = 300
RETRIED = {408, 409, 425, 429}
"""Statuses that are retried, as every 5xx is; any other says that the request itself is wrong."""


def parse_response(reply: Reply, seconds: float) -> Response:
    """Return the response of the model; raise a ModelError where the reply has no answer."""
    if not 200 <= reply.status < 300:
        raise reply_error(reply)
    try:
        answer = json.loads(reply.body)
        choice = answer["choices"][0]
        message = choice["message"]
        text = message_text(message)
        reason = choice.get("finish_reason") or "none"
        usage = _usage(answer.get("usage"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ModelError(f"the endpoint's reply has no answer: {_message(reply)}", again=True) from None
    if not isinstance(reason, str):
        raise ModelError(f"the endpoint's reply has no answer: finish_reason is {reason!r}", again=True)
    if not text and reason not in {"stop", "length"}:
        filtered = reason == "content_filter"
        raise ModelError(
            f"the endpoint returned an empty answer (finish_reason: {one_line(reason)[:40]})", again=not filtered
        )
    return Response(text, reason, usage, seconds)


def _usage(usage: object) -> dict[str, int]:
    if not isinstance(usage, dict):
        return {}
    details = usage.get("completion_tokens_details")
    counts = {**usage, "reasoning_tokens": details.get("reasoning_tokens") if isinstance(details, dict) else None}
    return {name: count for name, count in counts.items() if isinstance(count, int) and not isinstance(count, bool)}


def reply_error(reply: Reply) -> ModelError:
    """Return the error that a reply with an unsuccessful status stands for."""
    if 300 <= reply.status < 400:
        location = one_line(reply.headers.get("location", "elsewhere"))[:MAX_MESSAGE]
        return ModelError(f"the endpoint redirects to {location}: use that address", again=False)
    hint = " (the key comes from DTBENCH_API_KEY or OPENAI_API_KEY)" if reply.status in {401, 403} else ""
    again = reply.status in RETRIED or reply.status >= 500
    wait = _retry_after(reply.headers.get("retry-after")) if again else None
    message = f"the endpoint answered {reply.status}: {_message(reply)}{hint}"
    return ModelError(message, again=again, retry_after=wait, too_many=reply.status in {429, 503})


def _message(reply: Reply) -> str:
    """Return the error message of the endpoint in one line."""
    text = reply.body[: 20 * MAX_MESSAGE].decode("utf-8", "replace")
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        error = body.get("error") or body.get("message") or body.get("detail")
        if isinstance(error, dict):
            error = error.get("message") or error
        if error:
            text = error if isinstance(error, str) else json.dumps(error)
    line = one_line(" ".join(text.split()))
    return f"{line[: MAX_MESSAGE - 3]}..." if len(line) > MAX_MESSAGE else line or "an empty reply"


def _retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or a date."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        import time
        from email.utils import parsedate_to_datetime

        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), 1e9) if seconds == seconds else None
