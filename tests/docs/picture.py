"""Takes README's picture of a report, from disk, in a Chromium: `python tests/docs/picture.py REPORT.html OUT.png`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("support", "setup")]

from browser import browsing  # noqa: E402
from browsers import installed, why_not  # noqa: E402

SIZE = (1280, 860)


def main() -> int:
    """Take the picture; say why where there is no browser."""
    report, out = map(Path, sys.argv[1:])
    if installed() is None:
        print(why_not(), file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as folder, browsing(Path(folder) / "profile") as browser:
        browser.size(*SIZE)
        browser.dark(wanted=False)
        browser.open(report)
        browser.screenshot(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
