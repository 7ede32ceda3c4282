"""Fold a streamed answer (server-sent events) into the chat completion that it would have been in one piece.

Deltas are merged by their form, not by a list of known fields: texts are joined, lists go on, entries with the same
`index` are one entry, and so are two parts of content of one type in a row. So reasoning under any name, transcripts of
speech and log-probabilities come through, and whoever reads the completion need not know that it was streamed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_WHOLE = {"id", "type", "role", "object", "format", "signature"}
"""Texts that are repeated with each delta, and not continued."""
_UNUSED = {"data"}
"""Sound and encrypted reasoning: nobody reads them, and they are long."""
_CONTINUED = {"index", "type"}
"""An entry of a list with one of these may be continued by a later one."""
_OF_THE_ANSWER = ("id", "created", "model", "system_fingerprint", "usage")
_DONE = b"[DONE]"
_BAD_GATEWAY = 502
_OBJECT, _NUMBER = 32, 8
"""Bytes that an object and a number take, about."""


class UnreadableEventError(Exception):
    """An event that no chat endpoint sends."""


class EventStream:
    """Takes the bytes of a stream as they come and keeps what they add up to."""

    def __init__(self) -> None:
        self.done = False
        """Whether the endpoint has said that this was all."""
        self.error: Mapping[str, Any] | None = None
        """What an event said went wrong, in place of the rest of the answer."""
        self._line = b""
        self._data: list[bytes] = []
        self._is_error = False
        self._kept = 0
        self._answer: dict[str, Any] = {}
        self._choice: dict[str, Any] = {}
        self._message: dict[str, Any] = {}

    @property
    def size(self) -> int:
        """About how many bytes are kept."""
        return self._kept + len(self._line) + sum(map(len, self._data))

    @property
    def finished(self) -> bool:
        """Whether the answer is whole: some endpoints end a stream without saying so."""
        return self.done or "finish_reason" in self._choice

    def feed(self, data: bytes) -> None:
        """Take bytes; raise an UnreadableEventError where they are no events of a chat endpoint."""
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            if not self.done:
                self._take(line.removesuffix(b"\r"))

    def end(self) -> None:
        """Take what stands in a last line or event that nothing ends."""
        self.feed(b"\n\n")

    def completion(self) -> dict[str, Any]:
        """Return the chat completion."""
        choice = {"index": 0, **self._choice, "message": {"role": "assistant", "content": None, **self._message}}
        whole: dict[str, Any] = _joined({**self._answer, "object": "chat.completion", "choices": [choice]})
        return whole

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"event":
            self._is_error = value.strip() == b"error"
        elif name == b"data" and value.strip() == _DONE:
            self._finish_event()
            self.done = True
        elif name == b"data":
            self._data.append(value)
        elif not line:
            self._finish_event()

    def _finish_event(self) -> None:
        data, self._data = b"\n".join(self._data), []
        is_error, self._is_error = self._is_error, False
        if not data:
            return
        try:
            event = json.loads(data)
            if is_error or event.get("error"):
                self.error, self.done = event if isinstance(event, dict) else {"error": event}, True
            else:
                self._fold(event)
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise UnreadableEventError from None

    def _fold(self, event: dict[str, Any]) -> None:
        self._answer |= {name: event[name] for name in _OF_THE_ANSWER if event.get(name) is not None}
        for choice in event.get("choices") or []:
            if choice.get("index") in {0, None}:
                self._fold_choice(choice)

    def _fold_choice(self, choice: dict[str, Any]) -> None:
        delta = choice.pop("delta", None)
        message = choice.pop("message", None)
        if message and not delta:  # the whole of it once more, after its deltas
            self._message, delta = {}, message
        if delta:
            _unite_content(self._message, delta)
            self._merge(self._message, delta)
        if logprobs := choice.pop("logprobs", None):
            self._merge(self._choice.setdefault("logprobs", {}), logprobs)
        self._choice |= {name: value for name, value in choice.items() if value is not None}
        self._kept += _weight([value for value in choice.values() if isinstance(value, (str, list, dict))])

    def _merge(self, whole: dict[str, Any], more: Mapping[str, Any]) -> None:
        for name, value in more.items():
            if value is None or name in _UNUSED:
                continue
            if isinstance(value, str) and name not in _WHOLE:
                whole.setdefault(name, _Pieces()).append(value)
                self._kept += len(value)
            elif isinstance(value, dict):
                self._merge(whole.setdefault(name, {}), value)
            elif isinstance(value, list):
                self._extend(whole.setdefault(name, []), value)
            else:
                whole[name] = value

    def _extend(self, whole: list[Any], more: list[Any]) -> None:
        for entry in more:
            if not isinstance(entry, dict) or not _CONTINUED & entry.keys():
                whole.append(entry)
                self._kept += _weight(entry)
                continue
            if (place := _place_of(whole, entry)) is None:
                place = {}
                whole.append(place)
                self._kept += _OBJECT
            self._merge(place, entry)


class _Pieces(list[str]):
    """A text that is still growing."""


def _place_of(whole: list[Any], entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the entry of a list that this one goes on with."""
    last = next((one for one in reversed(whole) if one.get("index") == entry.get("index")), None)
    if last is None or ("index" not in entry and last is not whole[-1]):
        return None
    return last if last.get("type") == entry.get("type", last.get("type")) else None


def _unite_content(message: dict[str, Any], delta: dict[str, Any]) -> None:
    """Make the content of a delta and that of the message texts or lists of parts alike."""
    content, so_far = delta.get("content"), message.get("content")
    if isinstance(content, list) and isinstance(so_far, _Pieces):
        message["content"] = [{"type": "text", "text": so_far}] if any(so_far) else []
    elif isinstance(content, str) and isinstance(so_far, list) and not isinstance(so_far, _Pieces):
        delta["content"] = [{"type": "text", "text": content}] if content else []


def _weight(value: Any) -> int:
    if isinstance(value, dict):
        return _OBJECT + sum(map(_weight, value.values()))
    if isinstance(value, list):
        return sum(map(_weight, value))
    return len(value) if isinstance(value, str) else _NUMBER


def _joined(value: Any) -> Any:
    if isinstance(value, _Pieces):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _joined(each) for name, each in value.items()}
    return [_joined(each) for each in value] if isinstance(value, list) else value


def error_status(event: Mapping[str, Any]) -> int:
    """Return the status that a reply with this error would have had."""
    error = event.get("error")
    code = error.get("code") if isinstance(error, dict) else event.get("code")
    return code if isinstance(code, int) and 400 <= code < 600 else _BAD_GATEWAY


def first_event(body: bytes) -> bytes:
    """Return the data of the first event of a body, and a body without events as it is."""
    lines = (line.partition(b":") for line in body.splitlines())
    return next((value.strip() for name, _, value in lines if name == b"data"), body)
