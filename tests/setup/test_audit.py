from __future__ import annotations

import json

import pytest
from audit import CANNOT_TELL, Findings, read_findings, report

SOUND = {"name": "numpy", "version": "2.3.5", "vulns": []}
BAD = {
    "name": "x",
    "version": "1",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}],
}
STRANGE = {"name": "y", "skip_reason": "Dependency not found on PyPI and could not be audited: y (1)"}


def findings(*packages: object) -> Findings:
    return read_findings(json.dumps({"dependencies": packages, "fixes": []}))


def test_a_known_vulnerability_is_one_line_with_the_release_that_mends_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([findings(SOUND, BAD), findings(BAD, STRANGE)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "x 1: PYSEC-1, mended in 2",
        "audit: 3 pinned versions looked up, 1 vulnerabilities known",
    ]


def test_what_could_not_be_audited_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([findings(SOUND, STRANGE)]) == CANNOT_TELL
    assert capsys.readouterr().err == "audit: cannot tell: the advisory service does not know y\n"
    assert report([findings(SOUND)]) == 0


def test_no_answer_of_the_service_is_no_finding() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        read_findings("")
