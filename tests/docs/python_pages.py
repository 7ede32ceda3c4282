"""The reference of the Python API, made from what `dtbench` exports: signatures, docstrings, methods, fields."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints, is_typeddict

from markdown_tables import cell, table

import dtbench
from dtbench.harness.core.options import Option

_OPTIONS_OF = {
    "run": "dtbench.harness.run.request:RunRequest",
    "run_async": "dtbench.harness.run.request:RunRequest",
}
"""Functions whose `**options` are the fields of a request."""
_LONG = 100


def python_text() -> str:
    """Return the functions, the classes, the errors and the stored types, each in the order of its name."""
    public = {name: getattr(dtbench, name) for name in dtbench.__all__}
    errors = {name: one for name, one in public.items() if isinstance(one, type) and issubclass(one, Exception)}
    stored = {name: one for name, one in public.items() if is_typeddict(one)}
    classes = {name: one for name, one in public.items() if isinstance(one, type)}
    classes = {name: one for name, one in classes.items() if name not in errors and name not in stored}
    functions = {name: one for name, one in public.items() if inspect.isfunction(one)}
    models = {f"models.{name}": getattr(dtbench.models, name) for name in dtbench.models.__all__}
    models = {name: one for name, one in models.items() if inspect.isfunction(one)}
    parts = [*_section("Functions", functions | models), *_section("Classes", classes)]
    return "\n".join([*parts, *_section("Errors", errors), *_stored(stored)])


def _section(title: str, members: dict[str, Any]) -> Iterator[str]:
    yield f"## {title}\n"
    for name, one in members.items():
        yield f"### {name}\n"
        if isinstance(one, type):
            yield from _class(name, one)
        else:
            yield f"```python\n{signature(f'dtbench.{name}', one)}\n```\n\n{prose(one)}\n"
            yield from _options(name)


def _options(name: str) -> Iterator[str]:
    """Yield the options of `dtbench run` as arguments, which are the fields of its request."""
    if name not in _OPTIONS_OF:
        return
    module, _, kind = _OPTIONS_OF[name].partition(":")
    request = getattr(importlib.import_module(module), kind)
    hints = get_type_hints(request, include_extras=True)
    rows = [
        (f"`{field.name}`", f"`{mark.flag}`", cell(mark.help))
        for field in dataclasses.fields(request)
        for mark in get_args(hints[field.name])
        if isinstance(mark, Option) and field.name not in {"model", "tasks"}
    ]
    yield table(("option", "on the command line", "what it does"), rows)


def _class(name: str, kind: type[Any]) -> Iterator[str]:
    if issubclass(kind, Exception):
        code = f" Exit code {kind.exit_code}." if hasattr(kind, "exit_code") else ""
        yield f"{prose(kind)}{code} A kind of `{kind.__bases__[0].__name__}`.\n"
        return
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        yield f"```python\n{signature(f'dtbench.{name}', kind)}\n```\n"
    yield f"{prose(kind)}\n"
    fields = [(f"`{field}`", cell(said)) for field, said in field_texts(kind).items()]
    if fields:
        yield table(("field", "what it is"), fields)
    members = [(member, value) for member, value in vars(kind).items() if not member.startswith("_")]
    rows = [
        (f"`{_called(member, value)}`", cell(prose(_function(value))))
        for member, value in members
        if _documented(value)
    ]
    if rows:
        yield table(("member", "what it does"), rows)


def _function(value: Any) -> Any:
    return value.fget if isinstance(value, property) else getattr(value, "__func__", value)


def _documented(value: Any) -> bool:
    function = _function(value)
    return inspect.isfunction(function) and bool(function.__doc__)


def _called(name: str, value: Any) -> str:
    if isinstance(value, property):
        return name
    parameters = [one.name for one in inspect.signature(_function(value)).parameters.values()]
    return f"{name}({', '.join(one for one in parameters if one not in {'self', 'cls'})})"


def _stored(members: dict[str, Any]) -> Iterator[str]:
    yield "## Types of what is stored\n"
    yield "They are `TypedDict`s; [the run folder](run-folder.md) has their fields.\n"
    yield table(("type", "what it is"), [(f"`dtbench.{name}`", cell(prose(one))) for name, one in members.items()])


def signature(name: str, one: Any) -> str:
    """Return how it is called, in lines that fit a page."""
    found = inspect.signature(one)
    parameters = list(_parameters(found))
    is_call = found.return_annotation is not found.empty and not isinstance(one, type)
    result = f" -> {_short(found.return_annotation)}" if is_call else ""
    line = f"{name}({', '.join(parameters)}){result}"
    if len(line) <= _LONG:
        return line
    return "\n".join([f"{name}(", *(f"    {one}," for one in parameters), f"){result}"])


def _parameters(found: inspect.Signature) -> Iterator[str]:
    """Yield each parameter, and the star before those that are named."""
    starred = False
    for one in found.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not starred:
            yield "*"
        starred = starred or one.kind in {one.KEYWORD_ONLY, one.VAR_POSITIONAL}
        yield _readable(one)


def _readable(parameter: inspect.Parameter) -> str:
    stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind.name, "")
    kind = "" if parameter.annotation is parameter.empty else f": {_short(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return f"{stars}{parameter.name}{kind}"
    simple = parameter.default is None or isinstance(parameter.default, str | int | float | tuple)
    default = repr(parameter.default) if simple else "..."
    return f"{parameter.name}{kind} = {default}" if kind else f"{parameter.name}={default}"


def _short(annotation: Any) -> str:
    """Return a type without the modules that its names stand in."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__forward_arg__", None)
    text = inspect.formatannotation(annotation) if text is None else text
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", text)


def prose(one: Any) -> str:
    """Return a docstring with its paragraphs, each on one line; nothing where it is one that dataclasses make."""
    text = inspect.cleandoc(one.__doc__ or "") if one is not None else ""
    if isinstance(one, type) and text.startswith(f"{one.__name__}("):
        return ""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def field_texts(kind: type[Any]) -> dict[str, str]:
    """Return what stands under each field of a class in its source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[ast.unparse(field.target)] = str(text.value.value)
    return found
