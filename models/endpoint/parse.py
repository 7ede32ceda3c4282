"""Read a response or an error from the reply to a chat request."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from dtbench.harness.core.errors import ModelError, one_line
from dtbench.harness.core.price import AUDIO_TOKENS
from dtbench.harness.core.schema import Response, is_count
from dtbench.harness.store.redact import mask_text
from dtbench.models.endpoint.http import Reply
from dtbench.models.endpoint.message import message_text
from dtbench.models.endpoint.rate_limit import LIMITED, read_rate_limit

MAX_MESSAGE = 300
RETRIED = {408, 409, 425, 429}
"""Statuses that are retried, as every 5xx is; any other says that the request itself is wrong."""
_SAME_REASON = {
    **dict.fromkeys(("stop", "eos", "eos_token", "stop_sequence", "end_turn"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length"), "length"),
}
"""Other names of the two reasons with which an answer may end: TGI's, Mistral's, Gemini's own and Anthropic's."""
_GAVE_UP = {
    *("abort", "aborted", "error", "failed", "cancel", "cancelled", "canceled", "timeout"),
    *("insufficient_system_resource", "network_error", "internal_error", "model_error"),
    *("other", "language", "malformed_response", "malformed_function_call", "unexpected_tool_call"),
}
"""What vLLM and SGLang (abort), OpenRouter (error), DeepSeek, Zhipu and Gemini say of an answer that has no end."""
_FILTERED = {
    *("content_filter", "content_filtered", "refusal", "sensitive", "guardrail_intervened", "model_armor"),
    *("safety", "recitation", "blocklist", "prohibited_content", "spii"),
}
"""OpenAI's and Azure's; Anthropic's, Zhipu's, Bedrock's; Gemini's, which stand alone or behind `content_filter: `.

What a filter cut off is a part of what the model said, and not its answer: it is never read. Asked again, a filter
decides as before.
"""

_CONTEXT = re.compile(
    r"maximum context length(?: is)? \(?(?P<tokens>\d+)|context[ _]length[ _]exceeded|exceeds? .{0,60}context length",
    re.IGNORECASE,
)
"""What vLLM, SGLang, TGI and OpenAI say of a prompt and an answer that are too long together."""


def parse_response(reply: Reply, seconds: float, key_hint: str = "") -> Response:
    """Return the response of the model; raise a ModelError where the reply has no answer."""
    if not 200 <= reply.status < 300:
        raise reply_error(reply, key_hint)
    try:
        answer = json.loads(reply.body)
        choice = answer["choices"][0]
        error = answer.get("error") or choice.get("error")
        reason = _finish_reason(choice.get("finish_reason"))
        text = "" if error else message_text(choice["message"])
        usage = token_counts(answer.get("usage"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise _error_inside(reply) from None
    if error:
        raise _error_inside(reply)
    try:
        _refuse_given_up(reason, text)
        if not text:
            _refuse_missing(reason, choice["message"])
    except ModelError as error:
        error.usage = usage
        raise
    return Response(text, reason, usage, seconds)


def token_counts(usage: object) -> dict[str, int]:
    """Return the counts of tokens in `usage`; what is no whole number from 0 to 2^63 - 1 is no count."""
    if not isinstance(usage, dict):
        return {}
    written, read = usage.get("completion_tokens_details"), usage.get("prompt_tokens_details")
    counts = {
        **usage,
        "reasoning_tokens": written.get("reasoning_tokens") if isinstance(written, dict) else None,
        AUDIO_TOKENS: read.get("audio_tokens") if isinstance(read, dict) else None,
    }
    return {name: count for name, count in counts.items() if is_count(count)}


def _finish_reason(reason: object) -> str:
    """Return `stop` and `length` under these names, any other reason as the endpoint calls it."""
    if reason is None or reason == "":
        return "none"
    if not isinstance(reason, str):
        raise TypeError("finish_reason is not text")
    return _SAME_REASON.get(reason.strip().lower(), reason)


def _refuse_given_up(reason: str, text: str) -> None:
    """Raise a ModelError where the endpoint says that the model did not end its answer, whatever the text."""
    words = {word.strip() for word in reason.lower().replace("-", "_").split(":")}
    if words & _GAVE_UP:
        after = f" after {len(text)} characters" if text else ""
        raise _no_answer(f"the endpoint gave up{after} (finish_reason: {_shown(reason)})", again=True)
    if words & _FILTERED:
        what = "cut off" if text else "withheld"
        raise _no_answer(f"a content filter {what} what the model said (finish_reason: {_shown(reason)})", again=False)


def _refuse_missing(reason: str, message: Mapping[str, Any]) -> None:
    """Raise a ModelError for a reply without text, unless the model itself said nothing."""
    if message.get("tool_calls") or message.get("function_call"):
        way_out = "serve the model without a parser of tool calls"
        raise _no_answer(f"the endpoint took the model's words for a call of a tool: {way_out}", again=False)
    if reason not in {"stop", "length"}:
        raise ModelError(f"the endpoint returned an empty answer (finish_reason: {_shown(reason)})", again=True)
    if message.get("content", []) == [] and reason == "stop":  # null is what some send where a model says nothing
        raise _no_answer("its message has neither content nor reasoning", again=True)


def _error_inside(reply: Reply) -> ModelError:
    """Return the error that stands in a successful reply in place of an answer, or beside one."""
    status = _error_status(reply)
    return _with_limit(_no_answer(_message(reply), again=_may_pass(status)), reply, status)


def _no_answer(what: str, *, again: bool) -> ModelError:
    return ModelError(f"the endpoint's reply has no answer: {what}", again=again)


def _may_pass(status: int | None) -> bool:
    return status is None or status in RETRIED or status >= 500


def _error_status(reply: Reply) -> int | None:
    """Return the status that an error within a reply names as its code; None where it names none."""
    try:
        answer = json.loads(reply.body)
        error = answer.get("error") or answer["choices"][0].get("error")
        code = int(error["code"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return code if 400 <= code < 600 else None


def _shown(reason: str) -> str:
    return one_line(mask_text(reason))[:40]


def reply_error(reply: Reply, key_hint: str = "") -> ModelError:
    """Return the error that a reply with an unsuccessful status stands for."""
    if 300 <= reply.status < 400:
        location = one_line(mask_text(reply.headers.get("location", "elsewhere")))[:MAX_MESSAGE]
        moved = f"the endpoint answered {reply.status}: it redirects to {location}: use that address"
        return ModelError(moved, again=False)
    hint = f" ({key_hint})" if key_hint and reply.status in {401, 403} else ""
    message = f"the endpoint answered {reply.status}: {_message(reply)}{hint}"
    return _with_limit(ModelError(message, again=_may_pass(reply.status)), reply, reply.status)


def _with_limit(error: ModelError, reply: Reply, status: int | None) -> ModelError:
    """Add to an error what its reply says of a limit."""
    if status is not None and (error.again or status in LIMITED):
        limit = read_rate_limit(status, reply.headers, reply.body)
        error.retry_after, error.too_many, error.used_up = limit.wait, limit.refuses(status), limit.used_up
    return error


def _message(reply: Reply) -> str:
    """Return the error message of the endpoint in one line; secrets are masked before it is cut."""
    text = reply.body[: 20 * MAX_MESSAGE].decode("utf-8", "replace")
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, list) and body:  # Google's OpenAI form
        body = body[0]
    if isinstance(body, dict):
        error = body.get("error") or _choice_error(body) or body.get("message") or body.get("detail")
        if isinstance(error, dict):
            error = error.get("message") or error
        if error:
            text = error if isinstance(error, str) else json.dumps(error)
    line = one_line(" ".join(mask_text(text).split()))
    return f"{line[: MAX_MESSAGE - 3]}..." if len(line) > MAX_MESSAGE else line or "an empty reply"


def _choice_error(body: Mapping[str, Any]) -> object:
    try:
        return body["choices"][0]["error"]
    except (LookupError, TypeError):
        return None


def refused_context(reply: Reply) -> int | None:
    """Return the tokens of the context that a request was refused for, where it says so; None for any other reply."""
    found = _CONTEXT.search(_message(reply)) if reply.status in {400, 413, 422} else None
    if found is None:
        return None
    return int(found["tokens"]) if found["tokens"] else sys.maxsize
