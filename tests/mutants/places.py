"""Where a change of the code can be made, and what the text is after it: found by ast, made in the text.

A tool of our own, not mutmut: that one copies what it takes for the source and starts from coverage of one process;
our package is links in a folder, and much of its tests runs the command in a process of its own. What is left is one
walk of a tree and a few replacements, with operators that our code asks for (`one_line()` and its like left out,
calls for effect alone).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

COMPARED = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
COUNTED = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*", ast.Mod: "*"}
TWINS = {"max": "min", "min": "max", "any": "all", "all": "any"}
CLEANERS = {"one_line", "mask_text", "mask_message", "mask_settings", "mask_command", "mask_record", "mask_response"}
"""Functions that take something out of a text: what a user can see or store must not have it."""
LOGS = {"debug", "info", "warning"}
EDGE_OF_A_LIMIT = 100
"""A constant from here on is a limit, a width or a wait: one more of it changes nothing that anyone is promised."""


class Place(NamedTuple):
    """One change that could be made."""

    file: str
    line: int
    operator: str
    start: int
    """Where in the file's bytes the text begins that is replaced."""
    end: int
    before: str
    after: str
    suspected: bool
    """It may well change nothing that anyone can see: a log line, the edge of a large limit."""

    @property
    def key(self) -> str:
        """The same for the same change as long as its text stands where it stood."""
        return f"{self.file}:{self.line}:{self.start} {self.before} -> {self.after}"

    def changed(self, text: bytes) -> bytes:
        """The file with the change in it."""
        return text[: self.start] + self.after.encode() + text[self.end :]


def places(root: Path, file: str) -> list[Place]:
    """Every change of one file."""
    return list(_Finder(file, (root / file).read_bytes()).found())


def no_change(root: Path, file: str) -> Place:
    """A change that changes nothing: what a control is made of."""
    text = (root / file).read_bytes()
    return Place(file, text.count(b"\n"), "none", len(text), len(text), "", "\n# nothing\n", suspected=True)


def differs(root: Path, place: Place) -> bool:
    """Whether the change can be compiled, and compiles to other code."""
    text = (root / place.file).read_bytes()
    try:
        after = compile(place.changed(text), place.file, "exec")
    except SyntaxError:  # a text that an edit cannot be made in, such as the inside of an f-string of old Pythons
        return False
    return _code(after) != _code(compile(text, place.file, "exec"))


def _code(code: object) -> object:
    """What of a code object says what it does; its lines are where they are."""
    if not hasattr(code, "co_consts"):
        return repr(code)
    return (getattr(code, "co_code", b""), getattr(code, "co_names", ()), [_code(one) for one in code.co_consts])


class _Finder:
    """Walks the tree of one file."""

    def __init__(self, file: str, text: bytes) -> None:
        self.file = file
        self.text = text
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def found(self) -> Iterator[Place]:
        """Yield each change once."""
        seen: set[tuple[int, int, str]] = set()
        for node in _running(ast.parse(self.text)):
            for operator, start, end, after in self._changes(node):
                before = self.text[start:end].decode()
                if (start, end, after) not in seen and after != before:
                    seen.add((start, end, after))
                    line = self.text.count(b"\n", 0, start) + 1
                    yield Place(self.file, line, operator, start, end, before, after, _suspected(node, operator))

    def _changes(self, node: ast.AST) -> Iterator[tuple[str, int, int, str]]:
        yield from self._decisions(node)
        yield from self._values(node)
        yield from self._calls(node)
        yield from self._effects(node)

    def _decisions(self, node: ast.AST) -> Iterator[tuple[str, int, int, str]]:
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            operator = COMPARED[type(node.ops[0])]
            yield "comparison", *self._between(node.left, node.comparators[0]), f" {operator} "
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            yield "negated if", *self._span(node.test), f"(not ({self._of(node.test)}))"
        if isinstance(node, ast.comprehension):
            for test in node.ifs:
                yield "negated if", *self._span(test), f"(not ({self._of(test)}))"
        if isinstance(node, ast.BoolOp):
            parts = [f"({self._of(value)})" for value in node.values]
            word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            yield "and/or", *self._span(node), f"({f' {other} '.join(parts)})"
            for left_out in range(len(parts)):
                kept = [part for number, part in enumerate(parts) if number != left_out]
                yield "dropped operand", *self._span(node), f"({f' {word} '.join(kept)})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield "not removed", *self._span(node), f"({self._of(node.operand)})"

    def _values(self, node: ast.AST) -> Iterator[tuple[str, int, int, str]]:
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield "bool", *self._span(node), str(not node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            yield "constant", *self._span(node), f"({self._of(node)} + 1)"
        if isinstance(node, ast.BinOp) and type(node.op) in COUNTED:
            yield "arithmetic", *self._between(node.left, node.right), f" {COUNTED[type(node.op)]} "
        if isinstance(node, ast.Slice):
            for bound in (node.lower, node.upper):
                if bound is not None:
                    yield "slice bounds", *self._span(bound), f"({self._of(bound)}) + 1"

    def _calls(self, node: ast.AST) -> Iterator[tuple[str, int, int, str]]:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in TWINS:
                yield "/".join(sorted((node.func.id, TWINS[node.func.id]))), *self._span(node.func), TWINS[node.func.id]
            if node.func.id in CLEANERS and len(node.args) == 1:
                yield "unwrapped", *self._span(node), f"({self._of(node.args[0])})"
        if (
            isinstance(node, ast.Call)
            and len(node.args) > 1
            and not _starred(node.args[:2])
            and not _in_any_order(node)
        ):
            one, two = node.args[:2]
            swapped = self._of(two) + self._text(self._end(one), self._start(two)) + self._of(one)
            yield "swapped arguments", self._start(one), self._end(two), swapped

    def _effects(self, node: ast.AST) -> Iterator[tuple[str, int, int, str]]:
        if isinstance(node, ast.Return) and node.value is not None:
            yield "return None", *self._span(node.value), "None"
        if isinstance(node, ast.Expr):
            inner = node.value.value if isinstance(node.value, ast.Await) else node.value
            if isinstance(inner, ast.Call):
                yield "removed call", *self._span(node), "pass"
        if isinstance(node, ast.Raise):
            yield "removed raise", *self._span(node), "pass"
        if isinstance(node, ast.AugAssign):
            yield "removed +=", *self._span(node), "pass"

    def _between(self, left: ast.expr, right: ast.expr) -> tuple[int, int]:
        """Where the operator stands, without the brackets about either side."""
        start = self._end(left)
        gap = self._text(start, self._start(right))
        found = re.search(r"\bis\s+not\b|\bnot\s+in\b|\bis\b|\bin\b|[=!<>]=|//|[<>+*/%-]", gap)
        assert found is not None, gap
        return start + len(gap[: found.start()].encode()), start + len(gap[: found.end()].encode())

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self.starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr | ast.stmt) -> int:
        return self.starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        return self._start(node), self._end(node)

    def _text(self, start: int, end: int) -> str:
        return self.text[start:end].decode()

    def _of(self, node: ast.expr) -> str:
        return self._text(*self._span(node))


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs: no annotations, no decorators, nothing for type checkers, no insides of f-strings."""
    yield tree
    for name, field in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in field if isinstance(field, list) else [field]:
            typing_only = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            if isinstance(child, ast.AST) and not typing_only and not isinstance(child, ast.JoinedStr):
                yield from _running(child)


def _starred(arguments: list[ast.expr]) -> bool:
    return any(isinstance(argument, ast.Starred) for argument in arguments)


def _in_any_order(call: ast.Call) -> bool:
    """Whether the arguments of a call may be swapped: `max(1, n)` is `max(n, 1)`."""
    return isinstance(call.func, ast.Name) and call.func.id in ("max", "min")


def _suspected(node: ast.AST, operator: str) -> bool:
    if operator == "removed call" and isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = node.value.func
        return isinstance(called, ast.Attribute) and called.attr in LOGS and "log" in ast.unparse(called.value).lower()
    return operator == "constant" and isinstance(node, ast.Constant) and abs(node.value) >= EDGE_OF_A_LIMIT  # type: ignore[arg-type]
