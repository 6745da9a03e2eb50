# SPDX-License-Identifier: MIT
"""The values for a hub on Kubernetes: that they can be read, fit together, and are those that the page tells of."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kmodlab.resources import checkout

pytestmark = pytest.mark.checkout
TOP = checkout()
yaml = pytest.importorskip("yaml")  # comes with jupyter_events


@pytest.fixture
def singleuser() -> dict[str, Any]:
    assert TOP
    values: dict[str, Any] = yaml.safe_load((TOP / "docs/hub/values.yaml").read_text())
    assert set(values) == {"singleuser", "cull"}
    singleuser: dict[str, Any] = values["singleuser"]
    return singleuser


def size(text: str) -> int:
    """Bytes, as kubespawner reads them."""
    return int(text[:-1]) << {"M": 20, "G": 30}[text[-1]]


def test_the_page_tells_of_the_same_limits(singleuser: dict[str, Any]) -> None:
    assert TOP
    page = (TOP / "docs/hub.md").read_text()
    for kind in ("memory", "cpu"):
        for name, value in singleuser[kind].items():
            assert re.search(rf"^\| `{kind}\.{name}` \| {value} \|", page, re.MULTILINE), f"{kind}.{name}"


def test_a_user_gets_at_most_what_is_allowed(singleuser: dict[str, Any]) -> None:
    memory = singleuser["memory"]
    assert size(memory["guarantee"]) < size(memory["limit"])
    assert singleuser["cpu"]["guarantee"] < singleuser["cpu"]["limit"]
    for profile in singleuser["profileList"]:
        given = profile.get("kubespawner_override", {})
        assert set(given) <= {"mem_guarantee", "mem_limit", "extra_resource_limits"}
        if "mem_limit" in given:
            assert size(memory["limit"]) <= size(given["mem_guarantee"]) <= size(given["mem_limit"])
    assert [profile.get("default") for profile in singleuser["profileList"]].count(True) == 1


def test_what_a_pod_keeps_lies_where_its_volume_is(singleuser: dict[str, Any]) -> None:
    volume = singleuser["storage"]["homeMountPath"]
    command = singleuser["cmd"]
    made = re.search(r"kmodlab init (\S+);", command[2])
    assert made and made[1].startswith(f"{volume}/")
    assert f"--ServerApp.root_dir={made[1]}" in command
    assert TOP
    assert f"KMODLAB_DATA={volume}/data" in (TOP / "Dockerfile").read_text()
