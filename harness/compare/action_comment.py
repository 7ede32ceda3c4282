"""The Action's comment on a pull request: the verdict, in one comment that is kept up to date.

Like action_steps.py it is executed by its path and imports the standard library alone. A comment is no verdict: where
none can be written (a pull request from a fork has a token that may not), the job says so and goes on.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

A_PAGE = 100
"""How many comments are listed at once."""


def keep_comment(text: str, name: str) -> str:
    """Write a comment on the pull request, or renew the one of that name; return what was done."""
    mark = f"<!-- dtbench gate: {name} -->"
    body = {"body": f"{mark}\n{text}"}
    issue = f"issues/{os.environ['PULL_REQUEST']}/comments"
    for comment in _comments(issue):
        if (comment.get("body") or "").startswith(mark):
            _ask("PATCH", f"issues/comments/{comment['id']}", body)
            return "the comment on the pull request is up to date"
    _ask("POST", issue, body)
    return "the pull request has a comment"


def _comments(issue: str) -> Iterator[Any]:
    page = 1
    while found := _ask("GET", f"{issue}?per_page={A_PAGE}&page={page}"):
        yield from found
        page += 1


def _ask(method: str, path: str, body: Any = None) -> Any:
    address = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}"
    request = urllib.request.Request(
        address,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['TOKEN']}",
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.loads(reply.read() or b"null")


def main() -> None:
    """Write the comment that the environment describes; a warning where that is not allowed."""
    server, repository, run = (os.environ[f"GITHUB_{name}"] for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    link = f"[Run, verdict and report]({server}/{repository}/actions/runs/{run})"
    try:
        text = Path(os.environ["TEXT"]).read_text(encoding="utf-8")
        print(keep_comment(f"{text}\n{link}\n", os.environ["NAME"]))
    except OSError as error:
        print(
            f"::warning::no comment on the pull request ({error}): the job needs the permission pull-requests: write."
        )


if __name__ == "__main__":
    main()
