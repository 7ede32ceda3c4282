"""One HTML file out of the template, its style, its scripts and the data, with a policy that lets nothing else run.

The policy names the one script and the one style by their hashes. Data stands in elements that are no scripts; nothing
of it is ever parsed as HTML.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from dtbench.harness.report.encode_clips import ReportClip

SCRIPTS = (
    *("dom", "charts", "samples", "list", "filters", "spectrogram", "sound", "answer"),
    *("overview", "papers", "around", "training", "main"),
)
MARK = '<meta name="generator" content="dtbench report">'
_SLOT = re.compile(r"<!-- (policy|style|script|first|rest) -->")


def render_page(first: Mapping[str, Any], samples: Any, clips: Mapping[str, ReportClip]) -> bytes:
    """Render the page: plain first what the first view needs, then the packed samples, the clips last."""
    style = _part("page.css")
    script = '"use strict";\n(() => {\n' + "\n".join(_part(f"{name}.js") for name in SCRIPTS) + "\n})();\n"
    # Nothing from anywhere, but this script, this style, and sound that is inside the file or lies beside it.
    policy = (
        "default-src 'none'",
        f"script-src {_hash(script)}",
        f"style-src {_hash(style)}",
        "media-src data: blob: 'self' file:",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    packed = base64.b64encode(gzip.compress(_json(samples).encode(), compresslevel=6, mtime=0)).decode()
    # Each clip is in an element of its own, so that only what is listened to is decoded.
    sounds = dict.fromkeys(one.inside for one in clips.values() if one.inside)
    elements = [f'<script type="text/plain" id="clip-{place}">{sound}</script>' for place, sound in enumerate(sounds)]
    filled = {
        "policy": f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(policy)}">',
        "style": f"<style>{style}</style>",
        "script": f"<script>{script}</script>",
        "first": f'<script type="application/json" id="first">{_json(first)}</script>',
        "rest": "\n".join([f'<script type="text/plain" id="samples">{packed}</script>', *elements]),
    }
    return _SLOT.sub(lambda slot: filled[slot[1]], _part("page.html")).encode()


def _part(name: str) -> str:
    return (files("dtbench.harness.report") / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: Any) -> str:
    """JSON in ASCII; without a `<` nothing in it can end the element or begin another."""
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
