"""One HTML file out of the template, its style, its scripts and the data, with a policy that lets nothing else run.

The policy names the one script and the one style by their hashes. Data stands in elements that are no scripts; nothing
of it is ever parsed as HTML.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

from dtbench.harness.report.columns import TextPart
from dtbench.harness.report.encode_clips import ReportClip

SCRIPTS = (
    *("dom", "picture", "save", "runs", "charts", "unpack", "samples", "filtering", "search", "list", "filters"),
    *("spectrogram", "sound", "prompt", "answer", "overview", "matrix", "compared", "papers", "acoustics", "around"),
    *("training", "inside", "reasoning", "address", "main", "live"),
)
MARK = '<meta name="generator" content="dtbench report">'
_SLOT = re.compile(r"<!-- (policy|style|script|first|samples|rest) -->")


class PageData(NamedTuple):
    """What the page unpacks when it is wanted."""

    columns: str
    """Of all questions and answers, packed."""
    texts: Sequence[TextPart]
    clips: Mapping[str, ReportClip]


def render_page(first: Mapping[str, Any], data: PageData) -> bytes:
    """Render the page: plain first what the first view needs, then the columns, the texts, and the clips last."""
    style = page_part("page.css")
    script = '"use strict";\n(() => {\n' + "\n".join(page_part(f"{name}.js") for name in SCRIPTS) + "\n})();\n"
    # Nothing from anywhere, but this script, this style, and sound that is inside the file or lies beside it.
    policy = (
        "default-src 'none'",
        f"script-src {policy_hash(script)}",
        f"style-src {policy_hash(style)}",
        "media-src data: blob: 'self' file:",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    # Each part is in an element of its own, so that only what is looked at or listened to is unpacked.
    sounds = dict.fromkeys(one.inside for one in data.clips.values() if one.inside)
    parts = {one.name: one.packed for one in data.texts}
    parts |= {f"clip-{place}": sound for place, sound in enumerate(sounds)}
    filled = {
        "policy": f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(policy)}">',
        "style": f"<style>{style}</style>",
        "script": f"<script>{script}</script>",
        "first": f'<script type="application/json" id="first">{page_json(first)}</script>',
        "samples": _plain("samples", data.columns),
        "rest": "\n".join(_plain(name, text) for name, text in parts.items()),
    }
    return _SLOT.sub(lambda slot: filled[slot[1]], page_part("page.html")).encode()


def page_part(name: str) -> str:
    """Return a file of the page's own."""
    return (files("dtbench.harness.report") / "page" / name).read_text(encoding="utf-8")


def _plain(name: str, text: str) -> str:
    return f'<script type="text/plain" id="{name}">{text}</script>'


def policy_hash(text: str) -> str:
    """Return what a policy names a script or a style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def page_json(value: Any) -> str:
    """Return JSON in ASCII; without a `<` nothing in it can end the element or begin another."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def clip_references(clips: Mapping[str, ReportClip]) -> dict[str, dict[str, Any]]:
    """Question -> where the page finds its clip: the number of an element, a link, or why there is none."""
    where: dict[str, dict[str, Any]] = {}
    numbers: dict[str, int] = {}
    for id_, one in clips.items():
        if one.inside:
            where[id_] = {"inside": numbers.setdefault(one.inside, len(numbers)), "type": one.type}
        else:
            where[id_] = {"link": one.link} if one.link else {"missing": one.missing}
    return where
