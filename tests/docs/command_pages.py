"""The reference of commands, made from the commands themselves: what each does, its options, examples, exit codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer.main
from markdown_tables import cell, table

from dtbench.harness.cli.help_pages import ASKING, GROUPS
from dtbench.harness.cli.help_texts import EXAMPLES, exit_codes
from dtbench.harness.cli.main import COMMANDS, build
from dtbench.harness.core.options import ASK, INPUT, PANELS, REQUIRED


def commands_text() -> str:
    """Return all commands under the headings of the first page of help."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    for title, names in GROUPS.items():
        rows = [(f"[`{name}`](#{_anchor(name)})", cell(COMMANDS[name].help)) for name in names]
        yield f"**{title}**\n"
        yield table(("command", "what it does"), rows)
    for name in (name for names in GROUPS.values() for name in names):
        group: Any = typer.main.get_command(build([name]))
        command = group.commands[name]
        if hasattr(command, "commands"):
            yield f"## dtbench {name}\n\n{_prose(command.help)}\n"
            for inner, one in command.commands.items():
                yield from _command(f"{name} {inner}", one, "###")
        else:
            yield from _command(name, command, "##")


def _anchor(path: str) -> str:
    return "dtbench-" + path.replace(" ", "-")


def _command(path: str, command: Any, level: str) -> Iterator[str]:
    yield f"{level} dtbench {path}\n\n{_prose(command.help)}\n"
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    usage = " ".join(["dtbench", path, "[OPTIONS]", *(_metavar(one) for one in arguments)])
    yield f"```text\n{usage}\n```\n"
    if arguments:
        yield table(("argument", "what it is"), [(f"`{_metavar(one)}`", cell(one.help or "")) for one in arguments])
    for panel in PANELS:
        options = [one for one in command.params if _panel(one) == panel]
        if options:
            title = INPUT if panel == ASK and path not in ASKING else panel
            yield table((title, "what it does", "default"), [_option(one) for one in options])
    if examples := EXAMPLES.get(path, ()):
        yield "```bash\n" + "\n".join(f"{one.command}  # {one.purpose}" for one in examples) + "\n```\n"
    yield table(("exit code", "meaning"), [(str(code), cell(said)) for code, said in exit_codes(path).items()])


def _panel(one: Any) -> str | None:
    if one.param_type_name == "argument" or one.hidden or one.name == "help":
        return None
    return str(one.rich_help_panel or PANELS[-1])


def _option(one: Any) -> tuple[str, str, str]:
    flags = ", ".join(f"`{flag}`" for flag in sorted(one.opts, key=len))
    shown = one.show_default if isinstance(one.show_default, str) else ""
    default = shown if shown in {"", REQUIRED} else f"`{cell(shown)}`"
    return f"{flags} `{cell(one.metavar)}`" if one.metavar else flags, cell(one.help or ""), default


def _metavar(one: Any) -> str:
    return str(one.metavar or one.name)


def _prose(text: str | None) -> str:
    paragraphs = [" ".join(part.split()) for part in (text or "").split("\n\n")]
    return re.sub(r"<", "&lt;", "\n\n".join(paragraphs))
