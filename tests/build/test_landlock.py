# SPDX-License-Identifier: MIT
"""The sandbox without namespaces: what can be reached, and that it makes what the other one makes."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kmodlab.build.fast import fast
from kmodlab.build.kbuild import Made, kbuild
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.sandbox import Job, Limits, Sandbox, landlock
from kmodlab.build.sandbox.names import Names
from kmodlab.build.source import ModuleSource
from kmodlab.config import settings
from kmodlab.errors import SandboxError
from kmodlab.resources import resource
from tests.conftest import needs

pytestmark = pytest.mark.build


@pytest.fixture(params=[99, 6, 3, 1])
def shut(request: pytest.FixtureRequest) -> Sandbox:
    """Landlock as this kernel has it, and as older ones do."""
    with needs("build"):
        return landlock.probe(request.param)


def said(sandbox: Sandbox, line: str) -> str:
    return sandbox.run(Job("try it", ("bash", "-c", line), {}, limits=Limits(wall=30))).output


def test_nothing_of_the_host_can_be_read(shut: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    for path in (tmp_path / "secret", "/etc/passwd", "/proc/1/environ", f"/proc/{os.getpid()}/environ", "/proc/mounts"):
        assert said(shut, f"cat {path} && echo reached").endswith("Permission denied\n")
    for path in ("/", "/etc", "/root", "/home", "/var", "/proc", "/sys", "/run", "/usr/local", tmp_path):
        assert said(shut, f"ls {path} && echo reached").endswith("Permission denied\n")


def test_nothing_of_the_host_can_be_changed(shut: Sandbox, tmp_path: Path) -> None:
    """The folder may be entered by all, so that it is not its mode that keeps the job out."""
    tmp_path.chmod(0o777)
    for folder in (tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o711)
    mine = tmp_path / "mine"
    mine.write_text("mine")
    mine.chmod(0o666)
    before = mine.stat()
    for line in (
        f"echo x >{mine}", f"echo x >>{mine}", f"truncate -s 0 {mine}", f"rm -f {mine}", f"mv {mine} x", f"ln {mine} x",
        f"chmod 600 {mine}", f"chown 1234 {mine}", f"touch -d 2001-01-01 {mine}", f"mkdir {tmp_path}/new",
        f"ln -s x {tmp_path}/new", f"perl -e 'truncate(q({mine}), 0) or die; print 1'",
        f"perl -e 'utime(1, 1, q({mine})) or die'",
    ):  # fmt: skip
        assert said(shut, f"{line} && echo reached").count("reached") == 0, line
    after = mine.stat()
    assert mine.read_text() == "mine"
    assert (before.st_mode, before.st_uid, before.st_mtime_ns) == (after.st_mode, after.st_uid, after.st_mtime_ns)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_file_that_may_be_read_cannot_be_emptied(shut: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "header.h").write_text("x")
    (tmp_path / "header.h").chmod(0o666)
    line = "perl -e 'use Fcntl; sysopen(F, q(/shown/header.h), O_RDONLY | O_TRUNC) or die; print 1'"
    job = Job("try it", ("bash", "-c", f"cat /shown/header.h; {line}"), {}, binds=((tmp_path, Path("/shown")),))
    assert shut.run(job).output.startswith("x")
    assert (tmp_path / "header.h").read_text() == "x"


def test_no_socket_no_namespace_no_other_process(shut: Sandbox) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            for line in (
                f"kill -9 {other.pid}", f"prlimit --pid {other.pid} --nofile=1", f"renice 19 {other.pid}",
                "unshare --user true", "setpriv --reuid 0 true", "exec 3<>/dev/tcp/127.0.0.1/80",
                "perl -e 'use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0) or die; print 1'",
                "dmesg", "mount -t tmpfs x .",
            ):  # fmt: skip
                assert "reached" not in said(shut, f"{line} && echo reached"), line
            said(shut, "kill -9 -1")
            assert other.poll() is None
        finally:
            other.kill()


def test_what_escapes_to_a_session_of_its_own_ends_too(shut: Sandbox) -> None:
    mark = f"1{secrets.randbelow(10**6):06}.5"
    assert said(shut, f"(setsid setsid sleep {mark} & ) ; setsid -f sleep {mark}; echo started") == "started\n"
    assert mark.encode() not in b"".join(map(_words, Path("/proc").glob("[0-9]*")))


def _words(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_files_without_a_name_count_too(shut: Sandbox) -> None:
    line = 'for i in {3..9}; do eval "exec $i>f; rm f; head -c 3M /dev/zero >&$i"; done; sleep 20'
    start = time.monotonic()
    with pytest.raises(SandboxError, match="filled the build folder"):
        shut.run(Job("try it", ("bash", "-c", line), {}, limits=Limits(wall=30, space=8 << 20)))
    assert time.monotonic() - start < 15


def with_sandbox(name: str, build: Callable[[], Made | None]) -> Made:
    """What a build makes in one of the sandboxes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KMODLAB_SANDBOX", name)
        settings.cache_clear()
        try:
            made = build()
        except SandboxError as error:
            pytest.skip(str(error))
        finally:
            patch.undo()
            settings.cache_clear()
    assert made
    return made


@pytest.mark.parametrize("name", ["hello", "scribble"])
def test_it_makes_what_bubblewrap_makes(kernel: KernelBuild, name: str) -> None:
    """To the byte: also the debug information names the files as the job does."""
    source = ModuleSource.from_path(resource("lab_modules") / name)
    cache = settings().cache
    for build in (lambda: kbuild(source, kernel, timeout=100), lambda: fast(source, kernel, cache, timeout=100)):
        one, other = with_sandbox("bubblewrap", build), with_sandbox("landlock", build)
        assert one.exit_status == other.exit_status == 0
        assert one.files == other.files
        assert one.diagnostics == other.diagnostics


def test_what_it_says_of_headers_compiled_beforehand_names_nothing_of_the_host(kernel: KernelBuild) -> None:
    """Twice, since the folder in which they were compiled has gone by then."""
    text = """#include <linux/module.h>
static int __init a(void) { pr_info("%s", 1); return max(1, 2UL); }
module_init(a);
MODULE_LICENSE("GPL");"""
    source = ModuleSource.from_text("warns", text)
    for _ in range(2):
        made = with_sandbox("landlock", lambda: fast(source, kernel, settings().cache, timeout=100))
        places = set(re.findall(r"(/[\w.+/-]+):\d+:", made.output))
        assert len(places) > 3
        assert all(place.startswith(("/usr/src/linux-headers-", "/build/", "/source/")) for place in places), places


def test_names_are_put_for_places_and_back() -> None:
    names = Names(((Path("/c/w/1"), "/build"), (Path("/c/k/usr/src"), "/usr/src")))
    text = '-I/usr/src/x -o /build/a.o deps_/build/a.o scripts/build/x /builder M=/build #include "/usr/src/x.h"'
    there = (
        '-I/c/k/usr/src/x -o /c/w/1/a.o deps_/c/w/1/a.o scripts/build/x /builder M=/c/w/1 #include "/c/k/usr/src/x.h"'
    )
    assert names.inward(text) == there
    assert names.outward(there.encode()) == text.encode()
    assert names.inward('-DKBUILD_MODFILE="/build/a"') == '-DKBUILD_MODFILE="/build/a"'


OWNER = """
from kmodlab.build.sandbox import Job, landlock
print("go", flush=True)
landlock.probe().run(Job("try", ("sleep", "61.25"), {}))
"""


def test_it_ends_with_its_owner() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == b"go\n"
        while not (job := [path for path in Path("/proc").glob("[0-9]*") if _words(path) == b"sleep\x0061.25\0"]):
            assert owner.poll() is None
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(_words(path) for path in job):
        assert time.monotonic() < deadline
