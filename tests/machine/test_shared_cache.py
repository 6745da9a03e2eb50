# SPDX-License-Identifier: MIT
"""One cache for all: root's, mounted read-only, used by somebody else who has next to nothing of their own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.machine import provision
from kmodlab.resources import resource

pytestmark = [
    pytest.mark.machine,
    pytest.mark.build,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users"),
]

USER = 4711
# A place of our own in a name space of mounts that ends with the commands: a user who is not root may not so much as
# look into root's folders, where Python, checkout, environment and cache may lie.
ROOM = """
set -eu
mount -t tmpfs -o mode=755 room /mnt
mkdir /mnt/shared /mnt/checkout /mnt/site /mnt/python /mnt/home
mount --bind "$1" /mnt/shared
mount --bind -o remount,ro /mnt/shared /mnt/shared
mount --bind "$2" /mnt/checkout
mount --bind "$3" /mnt/site
mount --bind "$4" /mnt/python
chown "$5" /mnt/home
damage=$6
if [ -n "$damage" ]; then
  truncate -s 256M /mnt/damaged
  mount --bind /mnt/damaged "/mnt/shared/templates/$damage/memory"
fi
shift 6
exec setpriv --reuid "$0" --regid "$0" --clear-groups --bounding-set=-all "$@"
"""


def as_another(*arguments: str, damage: str = "") -> dict[str, object]:
    """Run a verb with --json as a user who is not root, and what is left of the own cache afterwards; return both."""
    environment: Mapping[str, str] = {
        "HOME": "/mnt/home", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": "/mnt/checkout:/mnt/site",
        "PYTHONDONTWRITEBYTECODE": "1", "LD_LIBRARY_PATH": "/mnt/python/lib", "KMODLAB_POOL": "0",
        "KMODLAB_SHARED_CACHE": "/mnt/shared",
    }  # fmt: skip
    python = Path("/mnt/python") / Path(sys.executable).resolve().relative_to(sys.base_prefix)
    command = shlex.join([str(python), "-m", "kmodlab", *arguments, "--json"])
    left = "mkdir -p .cache/kmodlab; du -sk --apparent-size .cache/kmodlab | cut -f 1; find . -type d"
    line = f"{command}; cd /mnt/home; {left}"
    checkout = str(resource("lab_modules").parent)
    places = [str(settings().cache), checkout, sysconfig.get_path("purelib"), sys.base_prefix]
    argv = ["unshare", "--mount", "sh", "-c", ROOM, str(USER), *places, str(USER), damage, "bash", "-c", line]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, cwd="/")
    assert done.stdout.startswith("{"), done.stderr
    content, end = json.JSONDecoder().raw_decode(done.stdout)
    size, *folders = done.stdout[end:].split()
    return {"said": done.stderr, **content, "own": int(size), "folders": folders}


def test_nothing_is_fetched_or_made_by_who_shares_a_cache(frozen: KernelBuild) -> None:
    found = as_another("doctor")
    checks = {each["name"]: each for each in found["checks"]}  # type: ignore[attr-defined]
    assert checks["shared cache"]["found"].startswith("/mnt/shared (")
    for name in ("kernel", "guest image", "frozen machine"):
        assert checks[name]["ok"]
        assert checks[name]["found"].endswith(", in the shared cache"), checks[name]
    tried = as_another("try", "/mnt/checkout/lab_modules/hello")
    assert tried["verdict"] == "clean", tried["said"]
    assert "passed over" not in str(tried["said"])
    folders = {Path(str(folder)).name for folder in tried["folders"]}  # type: ignore[attr-defined]
    assert "modules" in folders
    assert not {"kernels", "images", "recipes", "apt"} & folders
    # What was compiled for this module: its includes take 32 to 50 MB a form. All else would be 500 MB.
    assert tried["own"] < 160 << 10, "kB of the own cache"  # type: ignore[operator]


def test_what_is_damaged_there_is_made_in_the_own_cache(frozen: KernelBuild) -> None:
    chosen = settings()
    name = provision.template(frozen, chosen.memory, chosen.cpus).folder.name
    tried = as_another("try", "/mnt/checkout/lab_modules/hello", damage=name)
    assert tried["verdict"] == "clean", tried["said"]
    assert str(tried["said"]).count(f"passed over /mnt/shared/templates/{name}: damaged; the own cache serves") == 1
    assert f"./.cache/kmodlab/templates/{name}" in tried["folders"]  # type: ignore[operator]
