"""Print name, version and licence of all that dtbench and each extra install; exit 1 on one that is not allowed.

The metadata of the installed packages are read, and licences.toml beside this says what is allowed and why. What an
extra needs and this environment lacks is named, for nothing is known of its licence here.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
RULES = Path(__file__).with_name("licences.toml")
UNKNOWN = "unknown"
_LONGEST = 60
_SPDX = {
    "mit license": "MIT",
    "the mit license (mit)": "MIT",
    "apache software license": "Apache-2.0",
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "bsd license": "BSD",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "2-clause bsd": "BSD-2-Clause",
    "isc license (iscl)": "ISC",
    "isc license": "ISC",
    "python software foundation license": "PSF-2.0",
    "psfl": "PSF-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "gnu lesser general public license v2 or later (lgplv2+)": "LGPL-2.1-or-later",
}
_FAMILIES = {"OSI Approved", "Other/Proprietary License"}
"""Classifiers that name no licence."""


class Package(NamedTuple):
    """An installed package, and its licence."""

    name: str
    version: str
    licence: str


def stated_licence(package: Distribution, exact: Mapping[str, str]) -> str:
    """Return the licence of a package as SPDX has it: of our list, its expression, its short text, its classifiers."""
    metadata, fields = package.metadata, package.metadata.json
    name = canonicalize_name(metadata["Name"])
    if name in exact:
        return exact[name]
    if fields.get("license_expression"):
        return str(fields["license_expression"])
    first = str(fields.get("license") or "").strip().partition("\n")[0].strip()
    if first and len(first) <= _LONGEST and first.lower() in {*_SPDX, *(one.lower() for one in _allowed())}:
        return _SPDX.get(first.lower(), first)
    classifiers = [one.split(" :: ")[-1] for one in metadata.get_all("Classifier") or [] if one.startswith("License")]
    named = [_SPDX.get(one.lower(), one) for one in classifiers if one not in _FAMILIES]
    return " AND ".join(sorted(set(named))) or first[:_LONGEST] or UNKNOWN


def is_allowed(licence: str, allowed: Iterable[str]) -> bool:
    """Whether an expression is allowed: all that it joins by AND, one of what it joins by OR."""
    known = {one.lower() for one in allowed}
    parts = re.split(r"\s+AND\s+", licence)
    return all(any(one.strip(" ()").lower() in known for one in re.split(r"\s+OR\s+", part)) for part in parts)


def _allowed() -> Mapping[str, str]:
    return _rules()["allowed"]


def _rules() -> dict[str, dict[str, str]]:
    return tomllib.loads(RULES.read_text())


def installed_packages(requirements: Sequence[str], lacking: set[str]) -> Sequence[Package]:
    """Return all that these requirements install, with what that needs in turn; collect what is not here."""
    exact = _rules()["packages"]
    found: dict[str, Package] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [Requirement(line) for line in requirements]
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        try:
            package = distribution(wanted.name)
        except PackageNotFoundError:
            lacking.add(wanted.name)
            continue
        if name != "dtbench":
            found[name] = Package(package.metadata["Name"], package.version, stated_licence(package, exact))
        for line in package.requires or ():
            needed = Requirement(line)
            extras = wanted.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(needed)
    return [found[name] for name in sorted(found)]


def refused(packages: Iterable[Package]) -> Sequence[Package]:
    """Return the packages whose licence is not allowed, and that are no exception."""
    rules = _rules()
    return [
        one
        for one in packages
        if canonicalize_name(one.name) not in rules["exceptions"] and not is_allowed(one.licence, rules["allowed"])
    ]


def main() -> int:
    """Print a table for the core and for each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups: dict[str, Sequence[str]] = {"core": project["dependencies"], **project["optional-dependencies"]}
    bad: dict[str, Package] = {}
    for name, lines in groups.items():
        lacking: set[str] = set()
        packages = installed_packages(lines, lacking)
        print(f"\n{name}: {len(packages)} packages" + (f"; not here: {', '.join(sorted(lacking))}" if lacking else ""))
        for one in packages:
            print(f"  {one.name:<32} {one.version:<18} {one.licence}")
        bad |= {one.name: one for one in refused(packages)}
    for one in bad.values():
        print(f"licences: {one.name} {one.version}: {one.licence} is not in {RULES.name}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
