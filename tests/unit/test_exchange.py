# SPDX-License-Identifier: MIT
"""Checks as JUnit XML and SARIF: what other tools read."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from kmodlab.verdict.check import Check, Checked
from kmodlab.verdict.exchange import junit, sarif

KERNEL = "6.1.0-56-amd64"
CHECKED = Checked(
    "demo",
    "warned",
    (
        Check("build", True, "built in 1.0 s", kernel=KERNEL),
        Check("sparse", False, "dereference of noderef <expression>", "demo.c", 14, KERNEL),
        Check("load-unload", False, "oopsed: a & b", kernel=KERNEL),
    ),
    (("checkpatch", "not at hand"),),
    (),
    2.5,
)


def test_junit_counts_and_places() -> None:
    suite = ElementTree.fromstring(junit(CHECKED))
    assert suite.attrib == {
        "name": "demo",
        "tests": "4",
        "failures": "2",
        "errors": "0",
        "skipped": "1",
        "time": "2.500",
    }
    cases = {case.get("name"): case for case in suite}
    assert list(cases["build"]) == []
    failure = cases["sparse"].find("failure")
    assert failure is not None
    assert failure.text == "demo.c:14: dereference of noderef <expression>"
    assert cases["checkpatch"].find("skipped") is not None


def test_sarif_has_what_failed() -> None:
    whole = json.loads(sarif(CHECKED, "1.2.3"))
    assert whole["version"] == "2.1.0"
    (run,) = whole["runs"]
    assert run["tool"]["driver"]["version"] == "1.2.3"
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {"sparse", "load-unload"}
    first, second = run["results"]
    place = first["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "demo.c"}, "region": {"startLine": 14}}
    assert (first["level"], second["level"]) == ("warning", "error")
    assert "locations" not in second


@given(st.text(), st.text())
def test_any_text_can_be_written(message: str, file: str) -> None:
    checked = Checked("demo", "warned", (Check("sparse", False, message, file, 1, KERNEL),), (), (), 0.1)
    ElementTree.fromstring(junit(checked))
    json.loads(sarif(checked, "1"))


def test_json_and_status() -> None:
    content = CHECKED.to_dict()
    assert content["verdict"] == "warned"
    assert {"name", "passed", "message", "file", "line"} <= set(content["checks"][0])
    assert content["checks"][0]["file"] is None
    assert content["not_run"] == [{"name": "checkpatch", "message": "not at hand"}]
    assert CHECKED.exit_status == 1
    assert Checked("demo", "clean", CHECKED.checks[:1], (), (), 1.0).exit_status == 0
    assert Checked("demo", "machine-lost", (), (), (), 1.0).exit_status == 3
