"""Expressions of GitHub Actions, `${{ ... }}`, evaluated as its runner does: what our files use of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Contexts = Mapping[str, Any]
STATUS = re.compile(r"\b(always|success|failure|cancelled)\(\)")
_INSIDE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKENS = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|[!(),]|[\d.]+(?![\w-])|[A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*")


def filled(text: str, contexts: Contexts) -> str:
    """A text with its expressions in it."""
    return _INSIDE.sub(lambda found: as_text(value_of(found[1], contexts)), text)


def holds(condition: str | None, contexts: Contexts) -> bool:
    """Whether a step is executed: without a word of the status, only where nothing failed before it."""
    text = "success()" if condition is None else str(condition)
    if inside := _INSIDE.fullmatch(text.strip()):
        text = inside[1]
    wanted = bool(value_of(text, contexts))
    return wanted if STATUS.search(text) else wanted and contexts["job"]["status"] == "success"


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)


def value_of(text: str, contexts: Contexts) -> Any:
    tokens = _tokens(text)
    parser = _Parser(tokens, contexts)
    value = parser.either()
    assert parser.at == len(tokens), f"{text}: what does {tokens[parser.at]} do there?"
    return value


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        found = _TOKENS.match(text, at)
        assert found, f"{text!r} is no expression from {text[at:]!r} on"
        tokens.append(found[1])
        at = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str], contexts: Contexts) -> None:
        self.tokens, self.contexts, self.at = tokens, contexts, 0

    def either(self) -> Any:
        return self._chain("||", self.both, lambda left, right: left or right)

    def both(self) -> Any:
        return self._chain("&&", self.equal, lambda left, right: left and right)

    def equal(self) -> Any:
        left = self.single()
        while self._next() in {"==", "!="}:
            wanted = self._take() == "=="
            left = _same(left, self.single()) == wanted
        return left

    def single(self) -> Any:
        token = self._take()
        if token == "!":
            return not self.single()
        if token == "(":
            value = self.either()
            assert self._take() == ")"
            return value
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token[0].isdigit():
            return float(token)
        if self._next() == "(":
            return self._call(token)
        if token in {"true", "false", "null"}:
            return {"true": True, "false": False, "null": None}[token]
        return self._looked_up(token)

    def _call(self, name: str) -> Any:
        self._take()
        arguments = []
        while self._next() != ")":
            arguments.append(self.either())
            if self._next() == ",":
                self._take()
        self._take()
        status = self.contexts["job"]["status"]
        functions: dict[str, Callable[..., Any]] = {
            "always": lambda: True,
            "success": lambda: status == "success",
            "failure": lambda: status == "failure",
            "cancelled": lambda: status == "cancelled",
            "tojson": lambda value: json.dumps(value, indent=2),
            "format": lambda text, *values: text.format(*map(as_text, values)),
        }
        return functions[name.lower()](*arguments)

    def _looked_up(self, path: str) -> Any:
        """The runner knows no missing name but that of a context: what is not there is empty."""
        name, *fields = path.split(".")
        assert name in self.contexts, f"{name}: no context of that name is there"
        value = self.contexts[name]
        for field in fields:
            value = value.get(field) if isinstance(value, Mapping) else None
        return value

    def _chain(self, sign: str, part: Callable[[], Any], joined: Callable[[Any, Any], Any]) -> Any:
        left = part()
        while self._next() == sign:
            self._take()
            left = joined(left, part())
        return left

    def _next(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]


def _same(left: Any, right: Any) -> bool:
    """Texts are compared without regard to case."""
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    return bool(left == right) or (left in {None, ""} and right in {None, ""})
