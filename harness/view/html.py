"""The page with the list of runs, under the policy of the reports: its own script and style, and this server."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from dtbench.harness.report.document import page_json, page_part, policy_hash


def index_page(first: Mapping[str, Any]) -> bytes:
    """Return the page; the rows stand in it as data, which is never read as HTML."""
    style = page_part("page.css") + _own("index.css")
    script = '"use strict";\n(() => {\n' + page_part("dom.js") + _own("index.js") + "})();\n"
    policy = (
        "default-src 'none'",
        "connect-src 'self'",
        f"script-src {policy_hash(script)}",
        f"style-src {policy_hash(style)}",
        "base-uri 'none'",
        "form-action 'none'",
    )
    filled = {
        "policy": f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(policy)}">',
        "style": f"<style>{style}</style>",
        "first": f'<script type="application/json" id="first">{page_json(first)}</script>',
        "script": f"<script>{script}</script>",
    }
    before, *slots = _own("index.html").split("<!-- ")
    parts = (f"{filled[name]}{after}" for name, _, after in (slot.partition(" -->") for slot in slots))
    return "".join([before, *parts]).encode()


def _own(name: str) -> str:
    return (files("dtbench.harness.view") / "page" / name).read_text(encoding="utf-8")
