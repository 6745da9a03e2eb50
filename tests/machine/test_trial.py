# SPDX-License-Identifier: MIT
"""Trials of modules in real machines: verdicts, their evidence, and what is nobody's fault but the host's."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import HostSetupError, KernelOops, UsageError
from kmodlab.resources import resource
from kmodlab.verdict.check import check_module
from kmodlab.verdict.places import load_order
from kmodlab.verdict.script import Script
from kmodlab.verdict.style import checkpatch
from kmodlab.verdict.trial import try_module
from tests.parts import needs

pytestmark = [pytest.mark.machine, pytest.mark.build]

PARAMETERS = {"stamp": {"text": "hello"}}
LAB = sorted(path.parent.name for path in resource("lab_modules").glob("*/lab.toml"))

FAULTY = """\
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

static int depth;
module_param(depth, int, 0444);
static void *kept;

static noinline void deeper(int *pointer)
{
	WRITE_ONCE(*pointer, 1); /* oops */
}

static ssize_t demo_write(struct file *file, const char __user *buffer, size_t size, loff_t *at)
{
	char what = 0;

	if (size && get_user(what, buffer))
		return -EFAULT;
	if (what == 'o')
		deeper(NULL);
	if (what == 'w')
		WARN(1, "as asked"); /* warn */
	if (what == 'l')
		kept = kmalloc(48, GFP_KERNEL); /* leak */
	if (what == 'p')
		panic("as asked"); /* panic */
	if (what == 'r')
		__module_get(THIS_MODULE);
	return size;
}

static const struct file_operations demo_ops = { .owner = THIS_MODULE, .write = demo_write };
static struct miscdevice demo = { .minor = MISC_DYNAMIC_MINOR, .name = "demo", .fops = &demo_ops };

static int __init demo_init(void)
{
	if (depth < 0)
		return -ERANGE;
	return misc_register(&demo);
}

static void __exit demo_exit(void)
{
	misc_deregister(&demo);
}

module_init(demo_init);
module_exit(demo_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Faulty as it is asked");
"""


def line_of(mark: str) -> int:
    return next(number for number, line in enumerate(FAULTY.splitlines(), 1) if line.endswith(f"/* {mark} */"))


@pytest.fixture(scope="module")
def faulty() -> kmodlab.ModuleSource:
    return kmodlab.ModuleSource.from_text("demo", FAULTY)


@pytest.mark.parametrize("name", LAB)
def test_the_modules_of_the_lab_are_what_they_say(frozen: KernelBuild, name: str) -> None:
    folder = resource("lab_modules") / name
    verdict = try_module(folder, PARAMETERS.get(name), kernel=frozen)
    assert verdict.verdict == tomllib.loads((folder / "lab.toml").read_text())["expect"], str(verdict)
    if verdict.verdict != "clean":
        return
    assert verdict.ok
    assert not verdict.leaks
    assert not verdict.findings, str(verdict)
    assert set(verdict.seconds) >= {"build", "machine", "load", "total"}
    assert any("loading out-of-tree module" in record.text for record in verdict.log)


@pytest.mark.parametrize(
    ("letter", "word", "title", "mark"),
    [
        ("o", "oopsed", "NULL pointer dereference in deeper", "oops"),
        ("w", "warned", "WARNING in demo_write", "warn"),
        ("l", "leaked", "48 B of kmalloc", "leak"),
        ("p", "oopsed", "kernel panic: as asked", "panic"),
        ("r", "leaked", "a reference to demo itself", None),
    ],
)
def test_each_fault_has_its_verdict_and_line(
    frozen: KernelBuild, faulty: kmodlab.ModuleSource, letter: str, word: str, title: str, mark: str | None
) -> None:
    verdict = try_module(faulty, exec=[f"echo {letter} > /dev/demo"], kernel=frozen)
    assert verdict.verdict == word, str(verdict)
    assert verdict.title.startswith(title)
    assert verdict.exit_status == 1
    if mark is None:
        assert verdict.where is None
    else:
        assert verdict.where
        assert (verdict.where.file, verdict.where.line) == ("demo.c", line_of(mark))
        assert mark in verdict.where.source
        assert f"> {line_of(mark):5} |" in str(verdict)
    json.dumps(verdict.to_dict())


def test_what_does_not_build(frozen: KernelBuild) -> None:
    verdict = try_module(kmodlab.ModuleSource.from_text("demo", FAULTY.replace("WRITE_ONCE(", "WRITE_NEVER(")))
    assert verdict.verdict == "build-error"
    assert verdict.where
    assert (verdict.where.file, verdict.where.line) == ("demo.c", line_of("oops"))


def test_what_the_kernel_refuses(frozen: KernelBuild, faulty: kmodlab.ModuleSource) -> None:
    verdict = try_module(faulty, {"depth": -1}, kernel=frozen)
    assert verdict.verdict == "load-error"
    assert verdict.title.startswith("insmod demo.ko: ")
    assert "ERANGE" in verdict.title


def test_a_parameter_that_it_does_not_have(frozen: KernelBuild, faulty: kmodlab.ModuleSource) -> None:
    with pytest.raises(UsageError, match="no parameter 'height'; it has depth"):
        try_module(faulty, {"height": 1}, kernel=frozen)


def test_a_failing_line(frozen: KernelBuild, faulty: kmodlab.ModuleSource) -> None:
    verdict = try_module(faulty, exec=["echo said; exit 3", "true"], kernel=frozen, ledger=False)
    assert (verdict.verdict, verdict.exit_status) == ("clean", 1)
    assert [(one.exit_status, one.output) for one in verdict.exec] == [(3, "said\n"), (0, "")]


def test_what_a_line_leaves_in_the_background_is_not_the_modules_fault(frozen: KernelBuild) -> None:
    line = "exec 3< /dev/scribble; sleep 1000 <&3 > /dev/null 2>&1 &"
    verdict = try_module(resource("lab_modules") / "scribble", exec=[line], kernel=frozen, ledger=False)
    assert (verdict.verdict, verdict.exit_status) == ("clean", 0), str(verdict)
    assert "in the background" in verdict.findings[0].title


def test_what_stays_mounted_is_not_the_modules_fault(frozen: KernelBuild) -> None:
    verdict = try_module(resource("lab_modules") / "notefs", exec=["mount -t notefs none /mnt"], kernel=frozen)
    assert (verdict.verdict, verdict.exit_status) == ("clean", 1), str(verdict)
    assert [finding.kind for finding in verdict.findings] == ["in-use"]


def test_modules_that_lean_on_each_other(frozen: KernelBuild, lab_module: Callable[[str], ModuleArtifact]) -> None:
    built = lab_module("exporter")
    wrong_way = (*built.others, built)
    assert [module.name for module in load_order(wrong_way)] == ["exporter", "importer"]
    verdict = try_module(resource("lab_modules") / "exporter", kernel=frozen, exec=["cat /proc/modules"])
    assert verdict.verdict == "clean"
    assert verdict.modules == ("exporter", "importer")
    size = 16384 if frozen.release.startswith("6.1.") else 12288
    assert f"exporter {size} 1 importer" in verdict.exec[0].output


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_machine_is_nobodys_verdict(
    frozen: KernelBuild, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    run_line = Script._exec
    timers = []

    def killed(self: Script, vm: kmodlab.Machine, line: str) -> None:
        assert vm.pid
        timers.append(threading.Timer(0.3, os.kill, (vm.pid, number)))
        timers[-1].start()
        run_line(self, vm, line)

    monkeypatch.setattr(Script, "_exec", killed)
    verdict = try_module(resource("lab_modules") / "hello", exec=["sleep 30"], kernel=frozen, ledger=False)
    timers[0].join()
    assert (verdict.verdict, verdict.exit_status) == ("machine-lost", 3)
    assert "QEMU was killed" in verdict.title


def test_a_machine_that_does_not_come_up_is_lost(frozen: KernelBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    verdict = try_module(resource("lab_modules") / "hello", kernel=frozen)
    assert (verdict.verdict, verdict.exit_status) == ("machine-lost", 3), str(verdict)


def test_the_end_of_the_guest_by_its_own_hand(frozen: KernelBuild) -> None:
    verdict = try_module(
        resource("lab_modules") / "hello", exec=["echo b > /proc/sysrq-trigger"], kernel=frozen, ledger=False
    )
    assert (verdict.verdict, verdict.title, verdict.evidence) == ("oopsed", "the machine was reset", "host")


def test_after_an_oops_a_machine_can_be_looked_at(machine: kmodlab.Machine, faulty: kmodlab.ModuleSource) -> None:
    machine.insmod(kmodlab.build(faulty, machine.kernel))
    assert machine.damaged == ""
    machine.run("echo o > /dev/demo")
    assert machine.damaged == "NULL pointer dereference in deeper"
    assert machine.run("echo alive").stdout == "alive\n"
    assert "die" in machine.taint().names
    machine.reset()
    assert machine.damaged == ""


def test_an_oops_that_is_expected(machine: kmodlab.Machine, faulty: kmodlab.ModuleSource) -> None:
    machine.insmod(kmodlab.build(faulty, machine.kernel))
    with machine.expect_oops() as caught:
        machine.run("echo o > /dev/demo")
    assert caught[0].title == machine.damaged
    assert not isinstance(caught[0], KernelOops)


def test_check_finds_what_try_does_not(frozen: KernelBuild) -> None:
    text = FAULTY.replace(".owner = THIS_MODULE, ", "").replace("get_user(what, buffer)", "((what = *buffer) < 0)")
    checked = check_module(kmodlab.ModuleSource.from_text("demo", text), [frozen])
    failed = {check.name for check in checked.checks if not check.passed}
    assert "unload-in-use" in failed, str(checked)
    passed = {check.name for check in checked.checks if check.passed}
    assert {"build", "load-unload", "leaks", "parameters", "reload-after-failure"} <= passed
    if Path("/usr/bin/sparse").exists():
        assert "sparse" in failed
        sparse = next(check for check in checked.checks if check.name == "sparse")
        assert (sparse.file, sparse.line) == (
            "demo.c",
            text.splitlines().index("	if (size && ((what = *buffer) < 0))") + 1,
        )
    assert checked.exit_status == 1
    assert "is built without CONFIG_FAULT_INJECTION" in dict(checked.not_run)["fault-injection"]


def source_package(kernel: KernelBuild, folder: Path, script: str) -> KernelBuild:
    """The kernel with a source package of its own series, whose checkpatch.pl is this script."""
    archive = folder / f"usr/src/linux-source-{kernel.series}.tar.xz"
    archive.parent.mkdir(parents=True)
    content = script.encode()
    member = tarfile.TarInfo(f"linux-source-{kernel.series}/scripts/checkpatch.pl")
    member.size = len(content)
    with tarfile.open(archive, "w:xz") as tar:
        tar.addfile(member, io.BytesIO(content))
    return dataclasses.replace(kernel, root=folder)


def test_the_style_checker_of_an_archive_that_does_not_work_passes_nothing(kernel: KernelBuild, tmp_path: Path) -> None:
    code = kmodlab.ModuleSource.from_text("demo", "int x;\n")
    broken = source_package(kernel, tmp_path / "a", "die 'no such module';\n")
    with pytest.raises(HostSetupError, match="no such module .*apt-get install perl"):
        checkpatch(code, broken)
    strict = 'print "module/demo.c:1: CHECK: say more\\n"; exit 1;\n'
    (said,) = checkpatch(code, source_package(kernel, tmp_path / "b", strict))
    assert (said.file, said.line, said.message) == ("demo.c", 1, "check: say more")
    assert checkpatch(code, source_package(kernel, tmp_path / "c", "exit 0;\n")) == []


def test_the_kernels_own_style_checker(kernel: KernelBuild) -> None:
    """Needs the kernel's source package; says what it needs where that is not at hand."""
    ugly = kmodlab.ModuleSource.from_text("demo", "// SPDX-License-Identifier: GPL-2.0\nint  f (int a){return(a);}\n")
    tidy = kmodlab.ModuleSource.from_path(resource("lab_modules") / "hello")
    with needs("tools"):
        try:
            said = checkpatch(ugly, kernel)
        except HostSetupError as error:
            assert re.search(r"apt-get install linux-source-\d+\.\d+$", str(error))
            raise
    assert {one.line for one in said} == {2}
    assert any("space prohibited between function name" in one.message for one in said)
    assert checkpatch(tidy, kernel) == []


def kmodlab_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "kmodlab", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_try_and_replay_on_the_command_line(frozen: KernelBuild, tmp_path: Path) -> None:
    source, capsule = tmp_path / "demo.c", tmp_path / "demo.zip"
    source.write_text(FAULTY)
    tried = kmodlab_command(
        "try", str(source), "depth=3", "--exec", "echo o > /dev/demo", "--json", "--capsule", str(capsule)
    )
    assert tried.returncode == 1, tried.stderr
    content = json.loads(tried.stdout)
    assert content["verdict"] == "oopsed"
    assert content["where"]["line"] == line_of("oops")
    replayed = kmodlab_command("replay", str(capsule), "--json")
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads(replayed.stdout)["same"] is True


def test_a_shell_without_a_terminal_runs_a_script(frozen: KernelBuild) -> None:
    argv = [sys.executable, "-m", "kmodlab", "shell", str(resource("lab_modules") / "hello")]
    script = "insmod hello.ko && grep -c ^hello /proc/modules; exit 7\n"
    finished = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout) == (7, "1\n"), finished.stderr
