"""Hosts of models on this machine, which take and refuse requests as those of their name do.

What each does was read in its documentation or in reports of its users, which models/endpoint/hosts.toml names. Their
model hears: it names the topic that the clip's pitch stands for.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from chat_server import Asked, Turn
from listeners import pitch_of_wav
from runs import topic_of

Choose = Callable[[Asked], Turn | None]
Fields = dict[str, Any]
OPENAI_FIELDS = frozenset(
    "model messages modalities audio max_tokens max_completion_tokens temperature top_p n stream stream_options stop "
    "seed logprobs top_logprobs presence_penalty frequency_penalty response_format reasoning_effort user store tools "
    "metadata tool_choice logit_bias service_tier parallel_tool_calls prediction verbosity".split()
)
GEMINI_FIELDS = frozenset(
    "model messages temperature top_p n stream stream_options max_tokens max_completion_tokens stop response_format "
    "reasoning_effort tools tool_choice extra_body".split()
)
MISTRAL_FIELDS = frozenset(
    "model messages temperature top_p max_tokens stream stop random_seed metadata response_format tools tool_choice "
    "presence_penalty frequency_penalty n prediction parallel_tool_calls prompt_mode safe_prompt".split()
)
OF_RIFF = b"RIFF"


class Refusal(Exception):
    """A request that the host refuses, with the turn that says so."""

    def __init__(self, turn: Turn) -> None:
        super().__init__(turn.status)
        self.turn = turn


class FakeHost(NamedTuple):
    """A host: what its endpoint lists, and how it answers."""

    choose: Choose
    models: Sequence[str] | Turn
    version: str | None = None


def json_turn(status: int, body: object, **headers: str) -> Turn:
    """A reply of JSON."""
    return Turn(status=status, body=json.dumps(body).encode(), headers=headers)


def openai_error(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Refusal:
    """An error as OpenAI writes it."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Refusal(json_turn(status, {"error": error}))


def answering(check: Callable[[Asked, Fields], str | None], reply: Callable[[Asked, str], Turn]) -> Choose:
    """A host that checks each request, hears the clip that the check returns, and says what it heard."""

    def choose(asked: Asked) -> Turn:
        try:
            clip = check(asked, asked.json())
        except Refusal as refusal:
            return refusal.turn
        return reply(asked, heard(asked, clip))

    return choose


def heard(asked: Asked, clip: str | None) -> str:
    """The option that the clip says: its letter where one letter is asked for, else in words."""
    topic = "nothing" if clip is None else topic_of(pitch_of_wav(base64.b64decode(clip))) or "nothing"
    found = re.findall(r"^\(([A-Z])\) (.*)$", words(asked), re.MULTILINE)
    letters = {text: letter for letter, text in found}
    fields = asked.json()
    short = fields.get("max_tokens", fields.get("max_completion_tokens")) == 1
    return letters.get(topic, "A") if short else f"Answer: {topic}"


def words(asked: Asked) -> str:
    """The text of the last message."""
    content = asked.json()["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def audio_parts(fields: Fields) -> list[Fields]:
    """The parts of the last message that carry a clip."""
    content = fields["messages"][-1]["content"]
    return [] if isinstance(content, str) else [part for part in content if part.get("type") != "text"]


def is_wav(data: str) -> bool:
    """Whether this is the base64 of a WAV file."""
    try:
        return base64.b64decode(data, validate=True).startswith(OF_RIFF)
    except (binascii.Error, ValueError):
        return False


def completion(text: str | None, **message: object) -> Fields:
    """A completion in one piece."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 120, "completion_tokens": 4, "total_tokens": 124}
    return {"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}


def said(asked: Asked, text: str) -> Turn:
    """A plain answer, streamed where that is asked for."""
    fields = asked.json()
    return streamed(fields, text) if fields.get("stream") else json_turn(200, completion(text))


def streamed(fields: Fields, text: str) -> Turn:
    """An answer in server-sent events; counts come last, where stream_options asks for them."""
    chunk = {"id": "x", "object": "chat.completion.chunk", "model": fields["model"]}
    deltas: list[Fields] = [
        {"role": "assistant", "content": ""},
        *({"content": part} for part in re.findall(".{1,3}", text)),
    ]
    events = [
        {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": None} for delta in deltas
    ]
    events.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None})
    if (fields.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 120, "completion_tokens": 4, "total_tokens": 124}
        events.append({**chunk, "choices": [], "usage": usage})
    lines = [*(f"data: {json.dumps(event)}\n\n" for event in events), "data: [DONE]\n\n"]
    return Turn(body="".join(lines).encode(), headers={"content-type": "text/event-stream"})


def needs_key(asked: Asked, key: str | None, header: str = "authorization") -> bool:
    """Whether the key is there, where one is needed."""
    expected = f"Bearer {key}" if header == "authorization" else key
    return key is None or asked.headers.get(header) == expected


def openai(
    key: str | None = None, *, reasoning: bool = False, speaks: bool = False, names: Sequence[str] = ("gpt-audio-1.5",)
) -> FakeHost:
    """OpenAI's chat completions: gpt-audio, or a model such as gpt-5, which has its own temperature."""

    def check(asked: Asked, fields: Fields) -> str | None:
        if not needs_key(asked, key):
            raise openai_error(401, "Incorrect API key provided: sk-***.", code="invalid_api_key")
        return check_openai_fields(fields, reasoning=reasoning)

    def reply(asked: Asked, text: str) -> Turn:
        if speaks and "audio" in asked.json().get("modalities", []):
            audio = {"id": "a", "expires_at": 1, "data": "UklGRg==", "transcript": text}
            return json_turn(200, completion(None, audio=audio))
        return said(asked, text)

    listing = json_turn(200, {"data": [{"id": name, "object": "model", "owned_by": "openai"} for name in names]})
    return FakeHost(answering(check, reply), listing)


def check_openai_fields(fields: Fields, *, reasoning: bool = False) -> str | None:
    """Refuse what OpenAI refuses; return the clip."""
    if unknown := sorted(set(fields) - OPENAI_FIELDS):
        plural = "s" if len(unknown) > 1 else ""
        raise openai_error(400, f"Unrecognized request argument{plural} supplied: {', '.join(unknown)}")
    if {"max_tokens", "max_completion_tokens"} <= set(fields):
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise openai_error(400, message, param="max_tokens", code="invalid_parameter_combination")
    if reasoning:
        _check_reasoning_fields(fields)
    if "logprobs" in fields:
        raise openai_error(400, "This model does not support the 'logprobs' parameter.", param="logprobs")
    parts = audio_parts(fields)
    for part in parts:
        if part["type"] != "input_audio":
            kinds = "'text', 'image_url', 'input_audio', 'refusal', and 'file'"
            message = f"Invalid value: '{part['type']}'. Supported values are: {kinds}."
            raise openai_error(400, message, param="messages[0].content[0].type", code="invalid_value")
        if part["input_audio"].get("format") not in {"wav", "mp3"} or not is_wav(part["input_audio"]["data"]):
            raise openai_error(400, "Invalid input_audio: data is not base64.", code="invalid_value")
    if not parts and not reasoning:
        message = "This model requires that either input content or output modality contain audio."
        raise openai_error(400, message, param="model", code="invalid_value")
    return str(parts[0]["input_audio"]["data"]) if parts else None


def _check_reasoning_fields(fields: Fields) -> None:
    if "max_tokens" in fields:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise openai_error(400, message, param="max_tokens", code="unsupported_parameter")
    if fields.get("temperature", 1) != 1:
        message = (
            f"Unsupported value: 'temperature' does not support {fields['temperature']} with this model. Only the "
            "default (1) value is supported."
        )
        raise openai_error(400, message, param="temperature", code="unsupported_value")
    if "logprobs" in fields:
        raise openai_error(403, "You are not allowed to request logprobs from this model")


def gemini(key: str | None = None, *, names: Sequence[str] = ("gemini-2.5-pro", "gemini-3.5-flash")) -> FakeHost:
    """Gemini's OpenAI form."""

    def check(asked: Asked, fields: Fields) -> str | None:
        if not needs_key(asked, key):
            raise google_error(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT")
        if unknown := sorted(set(fields) - GEMINI_FIELDS):
            lines = [f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.' for name in unknown]
            violations = [{"description": line} for line in lines]
            detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}
            raise google_error(400, "\n".join(lines), "INVALID_ARGUMENT", detail)
        if fields["model"].removeprefix("models/") not in names:
            raise google_error(404, f"models/{fields['model']} is not found for API version v1main", "NOT_FOUND")
        part = next(iter(audio_parts(fields)), None)
        return None if part is None else str(part["input_audio"]["data"])

    return FakeHost(answering(check, said), json_turn(200, {"data": [{"id": f"models/{name}"} for name in names]}))


def google_error(status: int, message: str, name: str, *details: Fields) -> Refusal:
    """An error as Google's OpenAI form writes it: in a list."""
    error = {"code": status, "message": message, "status": name, "details": list(details)}
    return Refusal(json_turn(status, [{"error": error}]))


def limited(host: FakeHost, first: int, wait: str = "1s") -> FakeHost:
    """The same host, over its limit for the first requests; how long to wait stands in the body alone."""
    left = [first]

    def choose(asked: Asked) -> Turn | None:
        if left[0] > 0:
            left[0] -= 1
            retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": wait}
            return google_error(429, "You exceeded your current quota.", "RESOURCE_EXHAUSTED", retry).turn
        return host.choose(asked)

    return host._replace(choose=choose)


def dashscope(key: str | None = None, *, name: str = "qwen3-omni-flash", stream_only: bool = True) -> FakeHost:
    """Alibaba's Qwen-Omni."""

    def refuse(message: str) -> Refusal:
        error = {"code": "invalid_parameter_error", "message": message, "param": None, "type": "invalid_request_error"}
        return Refusal(json_turn(400, {"error": error, "request_id": "8eeb3d9a"}))

    def check(asked: Asked, fields: Fields) -> str | None:
        if not needs_key(asked, key):
            raise openai_error(401, "Incorrect API key provided. ", code="invalid_api_key")
        if stream_only and not fields.get("stream"):
            raise refuse(
                "This model only support stream mode, please enable the stream parameter to access the model. "
            )
        if not 0 <= fields.get("seed", 0) <= 2**31 - 1:
            raise refuse("Range of seed should be [0, 2147483647]")
        for part in audio_parts(fields):
            if part["type"] != "input_audio":
                values = "'text','image_url','input_audio','video_url' and 'video'"
                raise refuse(f"Invalid value: {part['type']}. Supported values are: {values}.")
            data = part["input_audio"]["data"]
            if not re.match(r"data:[\w/]*;base64,", data):
                raise refuse(
                    "<400> InternalError.Algo.InvalidParameter: The provided URL does not appear to be valid. Ensure "
                    "it is correctly formatted."
                )
            return str(data.partition(",")[2])
        return None

    return FakeHost(answering(check, said), Turn(status=404))


def mistral(key: str | None = None) -> FakeHost:
    """Mistral's Voxtral: the clip is the base64 itself, or a URL; what it does not know is forbidden."""

    def check(asked: Asked, fields: Fields) -> str | None:
        if not needs_key(asked, key):
            raise Refusal(json_turn(401, {"detail": "Unauthorized"}))
        forbidden = [name for name in fields if name not in MISTRAL_FIELDS]
        if forbidden:
            problem = {"type": "extra_forbidden", "msg": "Extra inputs are not permitted"}
            detail = [{**problem, "loc": ["body", name], "input": fields[name]} for name in forbidden]
            error = {"object": "error", "message": {"detail": detail}, "type": "invalid_request_error", "param": None}
            raise Refusal(json_turn(422, {**error, "code": None}))
        part = next(iter(audio_parts(fields)), None)
        if part is None:
            return None
        clip = part.get("input_audio")
        if not isinstance(clip, str) or not is_wav(clip):
            error = {
                "object": "error",
                "message": "Invalid audio input: input_audio is no base64 string.",
                "code": "3310",
            }
            raise Refusal(json_turn(400, {**error, "type": "invalid_request_error", "param": None}))
        return clip

    listing = json_turn(200, {"data": [{"id": name} for name in ("voxtral-mini-latest", "voxtral-small-latest")]})
    return FakeHost(answering(check, said), listing)


def openrouter(key: str | None = None, *, failing: int = 0) -> FakeHost:
    """OpenRouter before gpt-audio: what the provider refuses comes as its own error, also within a 200."""
    left = [failing]

    def check(asked: Asked, fields: Fields) -> str | None:
        if not needs_key(asked, key):
            raise Refusal(json_turn(401, {"error": {"message": "No auth credentials found", "code": 401}}))
        if left[0] > 0:
            left[0] -= 1
            error = {"code": 502, "message": "Provider returned error", "metadata": {"provider_name": "OpenAI"}}
            choice = {
                "index": 0,
                "message": {"role": "assistant", "content": ""},
                "finish_reason": "error",
                "error": error,
            }
            raise Refusal(json_turn(200, {"id": "gen", "choices": [choice]}))
        try:
            return check_openai_fields(fields)
        except Refusal as refusal:
            metadata = {"raw": refusal.turn.content(None).decode(), "provider_name": "OpenAI"}
            error = {"code": 400, "message": "Provider returned error", "metadata": metadata}
            raise Refusal(json_turn(200, {"error": error, "user_id": "user_x"})) from None

    def reply(asked: Asked, text: str) -> Turn:
        thought = "I hear a tone."
        details = [{"type": "reasoning.text", "text": thought}]
        return json_turn(200, {"provider": "OpenAI", **completion(text, reasoning=thought, reasoning_details=details)})

    names = ["openai/gpt-audio", *(f"someone/model-{number}" for number in range(350))]
    return FakeHost(answering(check, reply), json_turn(200, {"data": [{"id": name} for name in names]}))


def azure(key: str | None = None, *, deployment: str = "my-audio") -> FakeHost:
    """Azure OpenAI: a deployment by its URL and a date, or the v1 form."""

    def check(asked: Asked, fields: Fields) -> str | None:
        if not needs_key(asked, key, "api-key"):
            message = (
                "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key "
                "for an active subscription and use a correct regional API endpoint for your resource."
            )
            raise Refusal(json_turn(401, {"error": {"code": "401", "message": message}}))
        path, _, query = asked.path.partition("?")
        dated = path == f"/openai/deployments/{deployment}/chat/completions" and "api-version=20" in query
        if not dated and path != "/openai/v1/chat/completions":
            raise Refusal(json_turn(404, {"error": {"code": "404", "message": "Resource not found"}}))
        if not dated and fields["model"] != deployment:
            message = (
                "The API deployment for this resource does not exist. If you created the deployment within the last 5 "
                "minutes, please wait a moment and try again."
            )
            raise Refusal(json_turn(404, {"error": {"code": "DeploymentNotFound", "message": message}}))
        return check_openai_fields(fields)

    return FakeHost(answering(check, said), Turn(status=404))


def saying(host: FakeHost, answer: Choose) -> FakeHost:
    """The same host before another model: what it takes is answered so."""

    def choose(asked: Asked) -> Turn | None:
        turn = host.choose(asked)
        return answer(asked) if turn is None or turn.status == 200 else turn

    return host._replace(choose=choose)
