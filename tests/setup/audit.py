"""Ask pip-audit for known vulnerabilities of the versions that the environments are pinned to.

Exit 0: none is known; 1: some are, and each is printed; 4: it cannot be told here, and one line says why: pip-audit or
the advisory service cannot be reached, or does not know a package. pip-audit lives in an environment of its own,
.venv-audit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from installer import Installer, InstallError

HERE = Path(__file__).resolve().parent
PINNED = ("constraints.txt", "train-constraints.txt", "neighbours-constraints.txt", "docs-constraints.txt")
CANNOT_TELL = 4


class Findings(NamedTuple):
    """What pip-audit says of a list of packages."""

    audited: int
    vulnerable: list[str]
    skipped: list[str]


def main() -> int:
    """Audit each list of pinned versions."""
    installer = Installer(HERE.parents[1] / ".venv-audit")
    try:
        if not installer.has_package("pip-audit"):
            installer.install("pip-audit")
    except InstallError as error:
        return cannot_tell(f"pip-audit cannot be installed: {last_line(str(error))}")
    found = []
    for name in PINNED:
        options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
        command = [str(installer.python), "-m", "pip_audit", *options, "-r", str(HERE / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            found.append(read_findings(done.stdout))
        except (ValueError, LookupError):
            return cannot_tell(f"the advisory service cannot be reached: {last_line(done.stderr)}")
    return report(found)


def read_findings(text: str) -> Findings:
    """Read the JSON of pip-audit."""
    packages = json.loads(text)["dependencies"]
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    bad = [
        f"{one['name']} {one['version']}: {each['id']}, mended in {', '.join(each['fix_versions']) or 'no release'}"
        for one in packages
        for each in one.get("vulns", ())
    ]
    return Findings(len(packages) - len(skipped), bad, skipped)


def report(found: list[Findings]) -> int:
    """Print every vulnerability once, and return the exit status."""
    bad = sorted({line for one in found for line in one.vulnerable})
    for line in bad:
        print(line)
    audited, skipped = sum(one.audited for one in found), sorted({name for one in found for name in one.skipped})
    print(f"audit: {audited} pinned versions looked up, {len(bad)} vulnerabilities known")
    if bad:
        return 1
    if skipped:
        shown = ", ".join(skipped[:3]) + (f" and {len(skipped) - 3} more" if skipped[3:] else "")
        return cannot_tell(f"the advisory service does not know {shown}")
    return 0


def cannot_tell(why: str) -> int:
    """Say in one line what could not be audited, and why."""
    print(f"audit: cannot tell: {why}", file=sys.stderr)
    return CANNOT_TELL


def last_line(text: str) -> str:
    """Return the last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason was given")


if __name__ == "__main__":
    sys.exit(main())
