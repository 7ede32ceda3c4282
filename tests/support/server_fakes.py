"""Servers of open models, and a proxy before hosts, on this machine: they take and refuse requests as those do."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from chat_server import Asked, Turn
from host_fakes import (
    FakeHost,
    Fields,
    Refusal,
    answering,
    audio_parts,
    completion,
    is_wav,
    json_turn,
    openai_error,
    said,
)

SURE, UNSURE = math.log(0.9), math.log(0.05)


def vllm(*, speaks: bool = False, deaf: bool = False) -> FakeHost:
    """`vllm serve`; with a second choice for the sound where it is vLLM-Omni."""

    def check(asked: Asked, fields: Fields) -> str | None:
        if deaf and audio_parts(fields):
            raise bad_request("At most 0 audio(s) may be provided in one prompt.")
        if not -(2**63) <= fields.get("seed", 0) < 2**63:
            raise bad_request("seed: Input should be less than or equal to 9223372036854775807")
        return wav_of(fields)

    def reply(asked: Asked, text: str) -> Turn:
        fields = asked.json()
        choice = fields.get("structured_outputs", {}).get("choice")
        assert choice is None or text in choice
        whole = with_logprobs(completion(text), text, choice or []) if fields.get("logprobs") else completion(text)
        if speaks and "audio" in fields.get("modalities", ["text", "audio"]):
            audio = {"id": "a", "data": "UklGRg==", "expires_at": 0, "transcript": ""}
            message = {"role": "assistant", "content": None, "audio": audio}
            whole["choices"].append({"index": 0, "message": message, "finish_reason": "stop"})
        return json_turn(200, whole)

    listing = json_turn(200, {"data": [{"id": "tiny", "owned_by": "vllm", "max_model_len": 4096}]})
    return FakeHost(answering(check, reply), listing, "0.32.0")


def sglang() -> FakeHost:
    """SGLang: constrains by `regex`, passes over what it does not know, and gives the clip a URL."""

    def check(asked: Asked, fields: Fields) -> str | None:
        for part in audio_parts(fields):
            if part["type"] != "audio_url":
                problem = "Input tag 'input_audio' found using 'type' does not match any of the expected tags"
                raise Refusal(
                    json_turn(400, {"object": "error", "message": problem, "type": "BadRequestError", "code": 400})
                )
            return str(part["audio_url"]["url"].partition(",")[2])
        return None

    def reply(asked: Asked, text: str) -> Turn:
        fields = asked.json()
        if "regex" in fields:
            assert re.fullmatch(fields["regex"], text)
        elif fields.get("max_tokens") == 1:
            text = "The"  # nothing constrains it
        return json_turn(200, completion(text))

    return FakeHost(answering(check, reply), json_turn(200, {"data": [{"id": "tiny", "owned_by": "sglang"}]}))


def litellm(*, drops: bool = False) -> FakeHost:
    """LiteLLM's proxy before a provider that takes no seed, no structure and no log-probabilities."""

    def check(asked: Asked, fields: Fields) -> str | None:
        unsupported = {name: fields[name] for name in ("seed", "logprobs", "top_logprobs") if name in fields}
        if unsupported and not drops:
            message = (
                f"litellm.UnsupportedParamsError: gemini does not support parameters: {unsupported}, for model=audio. "
                "To drop these, set `litellm.drop_params=True`. Received Model Group=audio"
            )
            raise Refusal(json_turn(400, {"error": {"message": message, "type": "None", "param": None, "code": "400"}}))
        if "structured_outputs" in fields:
            raise openai_error(400, "litellm.BadRequestError: Unknown parameter: 'structured_outputs'.")
        return wav_of(fields)

    return FakeHost(answering(check, said), json_turn(200, {"data": [{"id": "audio", "owned_by": "openai"}]}))


def bad_request(message: str) -> Refusal:
    """An error as vLLM writes it."""
    return Refusal(
        json_turn(400, {"error": {"message": message, "type": "BadRequestError", "param": None, "code": 400}})
    )


def wav_of(fields: Fields) -> str | None:
    """The clip of a request that may carry it as `input_audio` or as the data URL of an `audio_url`."""
    part = next(iter(audio_parts(fields)), None)
    if part is None:
        return None
    by_url = part["type"] == "audio_url"
    data: Any = part["audio_url"]["url"].partition(",")[2] if by_url else part["input_audio"]["data"]
    if not is_wav(data):
        raise bad_request("Invalid base64 audio data")
    return str(data)


def with_logprobs(whole: Fields, text: str, letters: Sequence[str]) -> Fields:
    """The completion with log-probabilities: the letter is sure, the others are not."""
    others = [{"token": letter, "logprob": UNSURE} for letter in letters if letter != text]
    token = {"token": text, "logprob": SURE}
    whole["choices"][0]["logprobs"] = {"content": [{**token, "top_logprobs": [token, *others]}]}
    return whole
