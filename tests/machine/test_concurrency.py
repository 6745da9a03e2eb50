# SPDX-License-Identifier: MIT
"""Several users of one cache at once, and a cache that is full or may only be read."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.kernel import KernelBuild
from tests.conftest import gone

pytestmark = pytest.mark.machine

USER = """
import sys, kmodlab
text = '''
#include <linux/module.h>
static int __init shared_init(void) {{ pr_info("shared: {number}\\\\n"); return 0; }}
static void __exit shared_exit(void) {{ }}
module_init(shared_init);
module_exit(shared_exit);
MODULE_LICENSE("GPL");
'''
for round in range(3):
    built = kmodlab.build(kmodlab.ModuleSource.from_text("shared", text.format(number=round)))
    with kmodlab.Machine() as vm:
        vm.insmod(built)
        assert [r.text for r in vm.dmesg() if r.text[:-1] == "shared: "] == [f"shared: {round}"], vm.dmesg()
        vm.rmmod("shared")
        assert not vm.suspicions()
print("done")
"""
"""The same sources in each process, so that they meet in the cache."""

CELLS = (
    "import kmodlab\nfrom pathlib import Path",
    "vm = kmodlab.Machine().start(); print(vm.pid)",
    "print(vm.run('uname -r').stdout)",
)


@pytest.fixture(scope="module", autouse=True)
def loop_of_jupyter() -> None:
    """Its client keeps an event loop for the whole process; so no test leaves it behind."""
    ensure = pytest.importorskip("jupyter_core.utils").ensure_event_loop
    ensure()


@pytest.fixture
def cache(tmp_path: Path, frozen: KernelBuild) -> Path:
    """A cache of one's own with the kernel and the image of the session's, and nothing else."""
    common = kmodlab.settings().cache
    own = tmp_path / "cache"
    own.mkdir()
    for name in ("kernels", "images"):
        (own / name).symlink_to(common / name)
    for name in ("accelerator.json", "CACHEDIR.TAG"):
        if (common / name).exists():
            shutil.copy(common / name, own / name)
    return own


def python(text: str, cache: Path, *prefix: str, **more: str) -> subprocess.Popen[str]:
    """Another Python with a cache of its own."""
    environment = {**os.environ, "KMODLAB_CACHE": str(cache), **more}
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", text],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_four_processes_on_an_empty_cache(cache: Path) -> None:
    """They need the same template and the same modules, and none of those is there."""
    users = [python(USER, cache) for _ in range(4)]
    said = []
    try:
        for user in users:
            said.append(user.communicate(timeout=240)[0])
    finally:
        for user in users:
            user.kill()
            user.wait()
    for user, output in zip(users, said, strict=True):
        assert (user.returncode, output.splitlines()[-1:]) == (0, ["done"]), output
    assert len([path for path in (cache / "templates").iterdir() if path.is_dir()]) == 1
    assert not [path for path in cache.rglob(".new-*") if path.parent.name in {"templates", "modules"}]


class Notebook:
    """A Jupyter kernel as a notebook has one, and cells run in it."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(startup_timeout=60)

    def run(self, cell: str) -> str:
        """Run a cell and return what it printed."""
        said: list[str] = []

        def listen(message: dict[str, dict[str, object]]) -> None:
            content = message["content"]
            said.append(str(content.get("text") or content.get("traceback") or ""))

        reply = self.client.execute_interactive(cell, timeout=120, output_hook=listen)
        assert reply["content"]["status"] == "ok", said
        return "".join(said)

    def close(self, *, now: bool = False) -> None:
        """End the kernel as closing the notebook does, or at once."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=now)
        self.manager.cleanup_resources()
        self.manager.context.destroy()


@contextlib.contextmanager
def notebooks(count: int) -> Iterator[list[Notebook]]:
    pytest.importorskip("jupyter_client")
    opened = [Notebook() for _ in range(count)]
    try:
        yield opened
    finally:
        for one in opened:
            with contextlib.suppress(Exception):
                one.close(now=True)


@pytest.mark.filterwarnings("ignore")
def test_two_notebooks_and_how_they_end(frozen: KernelBuild) -> None:
    """One is closed, the other one's kernel is killed: each takes its machine along, and only that."""
    with notebooks(2) as (first, second):
        qemus = []
        for one in (first, second):
            one.run(CELLS[0])
            qemus.append(int(one.run(CELLS[1])))
            assert one.run(CELLS[2]).strip() == frozen.release
        first.close()
        assert gone(qemus[0])
        assert second.run(CELLS[2]).strip() == frozen.release
        second.manager.provisioner.process.kill()  # type: ignore[union-attr]
        assert gone(qemus[1])


def test_a_notebook_whose_machine_is_in_the_middle_of_a_command(frozen: KernelBuild) -> None:
    with notebooks(1) as (one,):
        one.run(CELLS[0])
        qemu = int(one.run(CELLS[1]))
        one.client.execute("vm.run('sleep 1000', timeout=1000)")
        one.close()
    assert gone(qemu)


MODULE = """
#include <linux/module.h>
char big[1 << 20] = { 1 };
static int __init big_init(void) { return big[7]; }
module_init(big_init);
MODULE_LICENSE("GPL");
"""

READ_ONLY = """
import errno, os, sys, kmodlab
from pathlib import Path
try:
    (Path(os.environ["KMODLAB_CACHE"]) / "probe").touch()
except OSError as error:
    assert error.errno in (errno.EROFS, errno.EACCES)
else:
    sys.exit("the cache can be written")
built = kmodlab.build(os.environ["MODULE"])
assert built.how == "cache"
with kmodlab.Machine() as vm:
    vm.insmod(built)
    assert not vm.suspicions()
    vm.rmmod(built.name)
fresh = kmodlab.ModuleSource.from_text("fresh", os.environ["FRESH"])
for work in (lambda: kmodlab.build(fresh), lambda: kmodlab.Machine(memory=200).start()):
    try:
        work()
    except kmodlab.errors.HostSetupError as error:
        assert "KMODLAB_CACHE" in str(error), error
    else:
        sys.exit("that was made, in a cache that may only be read")
print("done")
"""


@pytest.mark.parametrize("way", ["another user's", "a read-only mount"])
def test_a_cache_that_may_only_be_read(frozen: KernelBuild, tmp_path: Path, way: str) -> None:
    """All that was set up beforehand works; what is missing is told in a sentence."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    from kmodlab.resources import resource

    module = resource("lab_modules") / "hello"
    with kmodlab.Machine(frozen) as vm:
        vm.insmod(kmodlab.build(module, frozen))
        vm.suspicions()
    cache = kmodlab.settings().cache
    if way == "a read-only mount":
        mount = f'mount --bind {cache} {cache} && mount -o remount,ro,bind {cache} && exec "$@"'
        prefix: tuple[str, ...] = ("unshare", "--mount", "sh", "-c", mount, "sh")
    else:
        if any(not path.stat().st_mode & 0o005 for path in (cache, *cache.parents)):
            pytest.skip("others cannot read this cache")
        prefix = ("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups")
    with python(READ_ONLY, cache, *prefix, MODULE=str(module), FRESH=MODULE, HOME=str(tmp_path)) as user:
        output, _ = user.communicate(timeout=120)
    assert (user.returncode, output.splitlines()[-1:]) == (0, ["done"]), output


FULL = """
import os, kmodlab
works = {"machine": lambda: kmodlab.Machine().start().kill(),
    "module": lambda: kmodlab.build(kmodlab.ModuleSource.from_text("big", os.environ["FRESH"]))}
for name, work in works.items():
    try:
        work()
    except kmodlab.errors.KmodlabError as error:
        print(f"{name}: {type(error).__name__}: {error}")
    else:
        print(f"{name}: it fitted")
"""


@pytest.mark.parametrize("mebibytes", [0, pytest.param(20, marks=pytest.mark.slow)])
def test_a_disk_that_is_full(cache: Path, mebibytes: int) -> None:
    """In the middle of making a template or an entry: one sentence, nothing half made, and room makes it work."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    script = (
        f"mount -t tmpfs -o size={max(mebibytes, 1)}m full {cache}/templates && "
        f"mount -t tmpfs -o size=64k full {cache}/modules && "
        f"{'head -c 1M /dev/zero >' + str(cache) + '/templates/fill;' if not mebibytes else ''}"
        '"$@"; status=$?; '
        f"ls -A {cache}/templates {cache}/modules; exit $status"
    )
    for name in ("templates", "modules"):
        (cache / name).mkdir()
    with python(FULL, cache, "unshare", "--mount", "sh", "-c", script, "sh", FRESH=MODULE) as user:
        output, _ = user.communicate(timeout=240)
    assert user.returncode == 0, output
    assert "Traceback" not in output
    said = {line.partition(":")[0]: line for line in output.splitlines()}
    assert said["module"].startswith("module: HostSetupError: "), output
    assert said["machine"].startswith("machine: HostSetupError: "), output
    assert ".new-" not in output
