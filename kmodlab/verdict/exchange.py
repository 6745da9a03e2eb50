# SPDX-License-Identifier: MIT
"""Checks in the forms that other tools read: JUnit's XML for CI systems, SARIF for code hosts and editors."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

from kmodlab.verdict.check import Check, Checked

__all__ = ["junit", "sarif"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(checked: Checked) -> bytes:
    """Return the checks as JUnit XML: one test case each, those that could not be run as skipped."""
    failures = sum(not check.passed for check in checked.checks)
    count = len(checked.checks) + len(checked.not_run)
    facts = {"name": checked.module, "tests": str(count), "failures": str(failures), "errors": "0"}
    facts |= {"skipped": str(len(checked.not_run)), "time": f"{checked.seconds:.3f}"}
    suite = ElementTree.Element("testsuite", facts)
    for check in checked.checks:
        case = ElementTree.SubElement(suite, "testcase", {"name": check.name, "classname": _class(checked, check)})
        if not check.passed:
            text = f"{_place(check)}{check.message}"
            failure = ElementTree.SubElement(case, "failure", {"message": _printable(check.message)})
            failure.text = _printable(text)
    for name, why in checked.not_run:
        case = ElementTree.SubElement(suite, "testcase", {"name": name, "classname": checked.module})
        ElementTree.SubElement(case, "skipped", {"message": _printable(why)})
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))


def _class(checked: Checked, check: Check) -> str:
    return f"{checked.module} on {check.kernel}"


def _place(check: Check) -> str:
    return f"{check.file}:{check.line}: " if check.line else ""


def _printable(text: str) -> str:
    """XML cannot hold every character, not even escaped."""
    return _UNPRINTABLE.sub("\ufffd", text)


def sarif(checked: Checked, version: str) -> bytes:
    """Return the failed checks as SARIF 2.1.0."""
    failed = [check for check in checked.checks if not check.passed]
    rules = [{"id": name} for name in dict.fromkeys(check.name for check in failed)]
    driver = {"name": "kmodlab", "version": version, "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_result(check) for check in failed]}
    return (json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n").encode()


def _result(check: Check) -> dict[str, object]:
    level = "warning" if check.name in {"warnings", "sparse", "checkpatch"} else "error"
    result: dict[str, object] = {"ruleId": check.name, "level": level, "message": {"text": check.message}}
    if check.file:
        place: dict[str, object] = {"artifactLocation": {"uri": check.file}}
        if check.line:
            place["region"] = {"startLine": check.line}
        result["locations"] = [{"physicalLocation": place}]
    return result
