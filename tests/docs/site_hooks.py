"""What MkDocs calls while it builds: pages from outside of docs/, and each page as `site_pages` has it."""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File
from site_pages import DOCS, pages, site_text, unplaced

ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
"""What the theme's plugin `offline` asks another host for, in each page."""
WORKER = "site/worker.js"


def on_config(config: Any) -> None:
    """Put READMEs of folders that nobody has placed at the end of the navigation."""
    (last,) = config.nav[-1].values()
    last += unplaced(config.nav)


def on_files(files: Any, *, config: Any) -> Any:
    """Add the pages that MkDocs does not find in docs/."""
    for place, path in pages().items():
        if path.suffix != ".md" or not path.is_relative_to(DOCS):
            files.append(File.generated(config, place, content=site_text(place)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: object) -> str:
    """Return the text of a page of docs/ with its links and what is made from the code."""
    place = page.file.src_uri
    return site_text(place) if place in pages() else markdown


def on_post_page(output: str, *, page: Any, **_: object) -> str:
    """Take the script that lets the search work from disk from the site itself."""
    return output.replace(ELSEWHERE, "../" * page.url.count("/") + WORKER)


def on_post_template(output_content: str, **_: object) -> str:
    """Do the same for the page of what is not found, which may be shown at any address."""
    return output_content.replace(ELSEWHERE, f"/{WORKER}")
