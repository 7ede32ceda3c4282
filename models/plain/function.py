"""Make a model of a Python function: it gets what its parameters name of a prompt, and returns the answer."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import CodeType
from typing import Any

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.harness.core.schema import Prompt, Response

NAMES = (
    *("text", "wav", "choices", "system", "id", "repeat", "seed", "letters", "think_budget", "wavs", "examples"),
    "begun",
)
"""Parameters that a function may have: the fields of a Prompt; `prompt` is all of it."""
MOST_THREADS = 64
_PLAIN = (str, int, float, bool, bytes, type(None))
_DIGITS = 12
_DEEPEST = 4


class FunctionModel:
    """Answers with what a function returns for a prompt."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        version: str | None = None,
        rate: int = 16000,
        limit_seconds: float | None = None,
    ) -> None:
        self._function = function
        self._fill = _arguments(function)
        self._names = frozenset(_parameters(function))
        self._takes_all = _takes_whole_prompt(function)
        self._is_async = _is_async(function)
        self._threads: ThreadPoolExecutor | None = None
        self._about = _identity(function, name, version)
        self.listens = _listens(function)
        self.prefills = self._takes_all or "begun" in self._names
        self.rate = rate
        self.limit_seconds = limit_seconds
        self.concurrency = None if self._is_async else 1
        """A plain function is called once at a time, unless the run's `concurrency` says otherwise."""

    async def generate(self, prompt: Prompt) -> Response:
        """Call the function; one that is no coroutine in a thread."""
        self._refuse_lost(prompt)
        arguments, named = self._fill(prompt)
        if self._is_async:
            said = await self._function(*arguments, **named)
        else:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="dtbench.function")
            call = functools.partial(self._function, *arguments, **named)
            said = await asyncio.get_running_loop().run_in_executor(self._threads, call)
            if inspect.isawaitable(said):
                said = await said
        return self._response(said)

    def _refuse_lost(self, prompt: Prompt) -> None:
        """Raise a MachineryError where the function has no parameter for what a prompt holds: its answers would lie."""
        if self._takes_all:
            return
        lost = {"wavs": self.listens and len(prompt.wavs) > 1, "examples": bool(prompt.examples)}
        for name in (name for name, is_there in lost.items() if is_there and name not in self._names):
            what = f"{len(prompt.wavs)} clips" if name == "wavs" else "examples before it"
            raise MachineryError(
                f"{self.name}: the question {prompt.id!r} has {what}, for which the function has no parameter: name "
                f"one `{name}`, or take `prompt`."
            )

    def _response(self, said: object) -> Response:
        if isinstance(said, Response):
            return said
        if isinstance(said, str):
            return Response(said)
        raise MachineryError(f"{self.name} returned {type(said).__name__}: a text or a dtbench.Response is expected.")

    @property
    def name(self) -> str:
        """What the function is called, with its module."""
        return str(self._about["model"])

    def describe(self) -> Mapping[str, Any]:
        """Return the function's name, and its version or a hash of its code."""
        return {"name": "function", **self._about, "rate": self.rate, "limit_seconds": self.limit_seconds}

    async def aclose(self) -> None:
        """End the threads; the next call begins anew."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None


def from_function(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    version: str | None = None,
    rate: int = 16000,
    limit_seconds: float | None = None,
) -> FunctionModel:
    """Make a model of a function, plain or async, that returns a text or a Response.

    Its parameters name what it gets: text, wav (mono WAV at `rate`), wavs (those of several clips), choices, system,
    id, repeat, seed, examples, begun (the beginning of the answer, with which its text then begins too), or prompt for
    all of it. run.json identifies it by its name and a hash of its code; a `version` takes the place of the hash.
    """
    return FunctionModel(function, name=name, version=version, rate=rate, limit_seconds=limit_seconds)


Fill = Callable[[Prompt], tuple[Sequence[Any], Mapping[str, Any]]]


def _arguments(function: Callable[..., Any]) -> Fill:
    """Return how a prompt becomes the arguments of a function: by their names, else the text, then the clip."""
    names = _parameters(function)
    if all(_is_known(name) for name in names):
        whole = [name for name, one in names.items() if name == "prompt" and one.annotation not in (str, "str")]
        as_text = [name for name in names if name == "prompt" and name not in whole]
        fields = [name for name in names if name != "prompt"]

        def by_name(prompt: Prompt) -> tuple[Sequence[Any], Mapping[str, Any]]:
            named = {name: getattr(prompt, name) for name in fields}
            return (), named | dict.fromkeys(whole, prompt) | dict.fromkeys(as_text, prompt.text)

        positional = [one for one in names.values() if one.kind is inspect.Parameter.POSITIONAL_ONLY]
        return by_name if not positional else lambda prompt: (list(by_name(prompt)[1].values()), {})
    _refuse_unclear(function, list(names))
    return lambda prompt: ((prompt.text, prompt.wav)[: len(names)], {})


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters that a prompt fills: those without a default, and those that are named after a field."""
    try:
        every = inspect.signature(function).parameters
    except (TypeError, ValueError):
        raise UserError(f"{function!r}: its parameters cannot be seen: wrap it in a function of `text`.") from None
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        name: one
        for name, one in every.items()
        if one.kind not in variadic and (one.default is inspect.Parameter.empty or name in NAMES)
    }


def _refuse_unclear(function: Callable[..., Any], names: Sequence[str]) -> None:
    misplaced = [name for name, usual in zip(names, NAMES, strict=False) if _is_known(name) and name != usual]
    if len(names) > 2 or misplaced:
        unknown = next(name for name in names if not _is_known(name))
        raise UserError(
            f"{_named(function)}: nothing of a prompt is called {unknown!r}: name its parameters "
            f"{', '.join(NAMES)} or prompt, or take the text and the clip, in this order."
        )


def _is_known(name: str) -> bool:
    return name in NAMES or name == "prompt"


def _listens(function: Callable[..., Any]) -> bool:
    names = _parameters(function)
    if all(_is_known(name) for name in names):
        return bool({"wav", "wavs"} & names.keys()) or _takes_whole_prompt(function)
    return len(names) == 2


def _takes_whole_prompt(function: Callable[..., Any]) -> bool:
    named = _parameters(function).get("prompt")
    return named is not None and named.annotation not in (str, "str")


def _is_async(function: Callable[..., Any]) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _identity(function: Callable[..., Any], name: str | None, version: str | None) -> dict[str, str]:
    about = {"model": name or _named(function)}
    return about | ({"revision": version} if version is not None else {"code": _code_hash(function)})


def _named(function: Callable[..., Any]) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    kind = function if hasattr(function, "__qualname__") else type(function)
    return f"{kind.__module__}:{kind.__qualname__}"


def _code_hash(function: Callable[..., Any]) -> str:
    """Return twelve digits that differ where its code does, or the plain values that it is made with."""
    content = json.dumps(list(_traits(function, _DEEPEST)), ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()[:_DIGITS]


def _traits(value: object, depth: int) -> Iterator[str]:
    """Yield what tells a function or a value apart from others, the same in every process."""
    if isinstance(value, _PLAIN):
        yield repr(value)
    elif isinstance(value, list | tuple | set | frozenset):
        each = (list(_traits(one, depth - 1)) if depth else [] for one in value)
        yield from (repr(one) for one in (each if isinstance(value, list | tuple) else sorted(each)))
    elif isinstance(value, Mapping):
        yield from (f"{key!r}: {list(_traits(one, depth - 1))}" for key, one in value.items() if depth)
    elif isinstance(value, functools.partial):
        yield from _traits(value.func, depth)
        yield from _each([*value.args, dict(value.keywords)], depth)
    elif inspect.ismethod(value):
        yield from _each([value.__func__, value.__self__], depth)
    elif inspect.isfunction(value):
        yield _source(value)
        cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        yield from _each([*cells, *(value.__defaults__ or ()), dict(value.__kwdefaults__ or {})], depth)
    elif isinstance(value, type):
        yield f"{value.__module__}:{value.__qualname__}"
    else:
        yield from _object_traits(value, depth)


def _object_traits(value: object, depth: int) -> Iterator[str]:
    """Yield an object's class, with its code where it can be called, and its plain attributes."""
    kind = type(value)
    yield f"{kind.__module__}:{kind.__qualname__}"
    if inspect.isfunction(call := getattr(kind, "__call__", None)):  # noqa: B004
        yield _source(call)
        plain = {name: one for name, one in getattr(value, "__dict__", {}).items() if isinstance(one, _PLAIN)}
        yield from _traits(plain, depth)


def _each(values: Iterable[object], depth: int) -> Iterator[str]:
    if depth:
        for one in values:
            yield from _traits(one, depth - 1)


def _source(function: Any) -> str:
    """Return its code without comments and line breaks; where that cannot be had its instructions.

    These differ between versions of Python; of a lambda there is no source but that of the whole statement.
    """
    import ast

    if function.__name__ != "<lambda>":
        with contextlib.suppress(OSError, TypeError, SyntaxError):
            return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(function))))
    return "\n".join(_instructions(function.__code__))


def _instructions(code: CodeType) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_names}"
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _instructions(one)
        else:
            yield repr(sorted(one) if isinstance(one, frozenset) else one)


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
