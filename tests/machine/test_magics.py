# SPDX-License-Identifier: MIT
"""The magics with a real machine: what a learner does in cells, what goes wrong there, and that the next cell works."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.utils.capture import CapturedIO
from nbclient import NotebookClient

from kmodlab.build.sandbox import choose
from kmodlab.errors import (
    CommandError,
    CommandTimeout,
    CompileError,
    KernelHang,
    KernelOops,
    MachineLost,
    MachineStateError,
    ModpostError,
    ModuleLoadError,
    ModuleUnloadError,
    UsageError,
)
from kmodlab.jupyter.completion import complete
from kmodlab.jupyter.lab import Lab
from kmodlab.machine.machine import Machine, State

pytestmark = pytest.mark.machine

Cell = Callable[[str], tuple[ExecutionResult, CapturedIO]]
Interrupt = Callable[[Callable[[], object]], None]

FIRST = """#include <linux/module.h>
static int n = 1;
module_param(n, int, 0444);
static int __init first_init(void)
{
	pr_info("first: n is %d\\n", n);
	return n < 0 ? -ENODEV : 0;
}
static void __exit first_exit(void)
{
	pr_info("first: bye\\n");
}
module_init(first_init);
module_exit(first_exit);
MODULE_LICENSE("GPL");
"""
FAULT = FIRST.replace("return n < 0 ? -ENODEV : 0;", "return *(volatile int *)8L;")


def value(outcome: tuple[ExecutionResult, CapturedIO]) -> object:
    result, captured = outcome
    assert result.success, (result.error_before_exec or result.error_in_exec, captured.stdout)
    return result.result


def failure(outcome: tuple[ExecutionResult, CapturedIO]) -> BaseException:
    result, captured = outcome
    assert not result.success
    assert "Traceback" not in captured.stdout
    return result.error_in_exec


def looks(shell: InteractiveShell, thing: object) -> tuple[str, str]:
    """How a cell's value is shown, as HTML and as text."""
    data, _ = shell.display_formatter.format(thing)
    return data["text/html"], data["text/plain"]


def bundles(captured: CapturedIO) -> str:
    """All that was shown, as HTML and as text; each output must have both."""
    for output in captured.outputs:
        assert {"text/html", "text/plain"} <= output.data.keys()
        assert not output.data["text/plain"].startswith("<")
    return "\n".join(output.data["text/html"] + output.data["text/plain"] for output in captured.outputs)


def test_build_load_look_unload(cell: Cell, shell: InteractiveShell, lab: Lab) -> None:
    assert "vm" not in shell.user_ns
    built = value(cell(f"%%kmod first --load n=7\n{FIRST}"))
    assert built.loaded.name == "first"
    assert "first: n is 7" in built.loaded.log.text().splitlines()
    for shown in looks(shell, built):
        assert "built first.ko: " in shown
        assert "first: n is 7" in shown
    assert lab.modules["first"].checksum == built.checksum
    assert isinstance(shell.user_ns["vm"], Machine)

    (row,) = value(cell("rows = %lsmod first\nrows"))
    assert (row.name, row.size) == ("first", built.loaded.size)
    assert value(cell("%modinfo first")).parameters.named("n").type == "int"
    assert complete(lab, "%rmmod fi") == ("fi", ["first"])
    assert complete(lab, "%insmod first ") == ("", ["n="])
    assert value(cell("%guest cat /sys/module/first/parameters/n")).stdout == "7\n"

    gone = value(cell("%rmmod first"))
    assert gone.log.text() == "first: bye"
    for shown in looks(shell, gone):
        assert "first is unloaded" in shown
    assert value(cell("%lsmod first")) == ()


def test_a_cell_run_again_replaces_its_module_and_says_so(cell: Cell) -> None:
    value(cell(f"%%kmod first --load\n{FIRST}"))
    result, captured = cell(f"%%kmod first --load n=2\n{FIRST}")
    log = value((result, captured)).loaded.log.text()
    assert "first: n is 2" in log
    assert "first of an earlier run is still loaded: it is unloaded first." in bundles(captured)


def test_insmod_finds_modules_of_the_notebook_of_the_lab_and_at_a_path(cell: Cell, tmp_path: Path, lab: Lab) -> None:
    row = value(cell("%insmod hello whom='all of you' times=2"))
    assert [line for line in row.log.text().splitlines() if "of 2" in line] == [
        "hello: hello, all of you (1 of 2)",
        "hello: hello, all of you (2 of 2)",
    ]
    (tmp_path / "mine.c").write_text(FIRST.replace("first", "mine"))
    assert value(cell(f"%insmod {tmp_path}/mine.c n=3")).name == "mine"
    # The source has changed, so the name alone must not bring back what was built before.
    value(cell("%rmmod mine"))
    (tmp_path / "mine.c").write_text(FIRST.replace("first", "mine").replace("n is", "now n is"))
    assert "mine: now n is 1" in value(cell("%insmod mine")).log.text()
    value(cell("%rmmod mine"))
    assert value(cell(f"%insmod {lab.modules['mine'].path}")).name == "mine"


def test_modules_of_the_distribution(cell: Cell) -> None:
    assert value(cell("%modprobe dummy numdummies=2")).name == "dummy"
    assert value(cell("%guest ls /sys/class/net")).stdout.split().count("dummy1") == 1
    assert value(cell("%modprobe -r dummy")).names == ("dummy",)
    assert value(cell("%modinfo -p dummy")).named("numdummies").type == "int"
    assert "did you mean" in str(failure(cell("%modinfo dumy")))
    assert isinstance(failure(cell("%modprobe nonesuch")), ModuleLoadError)


def test_modules_are_offered_for_completion(cell: Cell, lab: Lab) -> None:
    value(cell("%lsmod"))
    offered = complete(lab, "%modprobe btr")
    assert offered is not None
    assert "btrfs" in offered[1]
    assert complete(lab, "%modprobe dummy num") == ("num", ["numdummies="])


@pytest.mark.parametrize(
    ("c", "kind", "words"),
    [
        (FIRST.replace("return n", "return m"), CompileError, "In[1]:8:"),
        (FIRST.replace('MODULE_LICENSE("GPL");', ""), ModpostError, "MODULE_LICENSE"),
        (FIRST.replace("pr_info(", "nonesuch(").replace("#include", "void nonesuch(const char *, ...);\n#include"),
         ModpostError, "nonesuch"),
        (FIRST.replace("module_init(first_init);", ""), CompileError, "no module_init()"),
    ],
)  # fmt: skip
def test_c_that_does_not_become_a_module(c: str, kind: type[Exception], words: str, cell: Cell) -> None:
    result, captured = cell(f"%%kmod first\n{c}")
    error = failure((result, captured))
    assert type(error) is kind
    assert words in captured.stdout
    assert "hint: " in bundles(captured)
    shown, captured = cell(f"%%kmod first --expect-error\n{c}")
    assert type(shown.result) is kind
    assert "This failed, as expected:" in bundles(captured)
    value(cell(f"%%kmod first\n{FIRST}"))


def test_blank_lines_above_the_magic_count(cell: Cell) -> None:
    _, captured = cell(f"\n\n%%kmod first\n{FIRST.replace('return n', 'return m')}")
    assert "In[1]:10:" in captured.stdout


def test_warnings_stand_below_the_cell_and_know_their_line(cell: Cell, shell: InteractiveShell) -> None:
    built = value(cell(f"%%kmod first\n{FIRST.replace('{', '{ int unused;', 1)}"))
    assert built.diagnostics[0].line == 6
    html, text = looks(shell, built)
    assert '<a href="#In[1]:6:' in html
    for shown in (html, text):
        assert "unused variable" in shown


def test_expected_errors_that_do_not_come_fail_the_cell(cell: Cell) -> None:
    assert isinstance(failure(cell(f"%%kmod first --expect-error\n{FIRST}")), AssertionError)
    assert isinstance(failure(cell("%guest --expect-error true")), AssertionError)
    assert value(cell("%guest --expect-error exit 3")).exit_status == 3


def test_the_kernel_refuses(cell: Cell) -> None:
    value(cell(f"%%kmod first\n{FIRST}"))
    assert "ENODEV" in str(failure(cell("%insmod first n=-1")))
    assert "EINVAL" in str(failure(cell("%insmod first n=many")))
    assert isinstance(failure(cell("%insmod first nonesuch=1")), UsageError)
    value(cell("%insmod first"))
    error = failure(cell("%insmod first"))
    assert isinstance(error, ModuleLoadError)
    assert "loaded already" in str(error)
    value(cell("%rmmod first"))
    assert isinstance(failure(cell("%rmmod first")), ModuleUnloadError)


def test_a_failed_load_still_shows_the_build_and_the_log(cell: Cell) -> None:
    result, captured = cell(f"%%kmod first --load n=-1\n{FIRST}")
    assert isinstance(failure((result, captured)), ModuleLoadError)
    assert "built first.ko" in bundles(captured)
    assert "first: n is -1" in bundles(captured)


def test_an_oops_is_told_and_can_be_expected(cell: Cell) -> None:
    result, captured = cell(f"%%kmod first --load\n{FAULT}")
    error = failure((result, captured))
    assert isinstance(error, KernelOops | MachineLost)
    assert "first_init" in bundles(captured)
    value(cell("%vm reset"))
    caught = value(cell(f"%%kmod first --load --expect-error\n{FAULT}"))
    assert isinstance(caught, KernelOops | MachineLost)
    value(cell("%vm reset"))
    value(cell("%lsmod"))


def test_dmesg_shows_all_new_bad_and_boot_lines(cell: Cell) -> None:
    value(cell("%insmod hello"))
    assert "hello: hello, world (1 of 1)" in value(cell("%dmesg")).text()
    assert value(cell("%dmesg --new")) == ()
    value(cell("%rmmod hello"))
    assert value(cell("%dmesg --new")).text() == "hello: goodbye, world"
    assert {record.level <= 4 for record in value(cell("%dmesg --level warn"))} == {True}
    assert len(value(cell("%dmesg -n 2"))) == 2
    assert "Linux version" in value(cell("%dmesg --boot")).text()


def test_shell_lines_are_one_bash_and_its_last_status_counts(cell: Cell, shell: InteractiveShell) -> None:
    result, captured = cell("%%guest --out kept\nname=grün\nfalse\necho $name; echo oh >&2")
    assert result.success
    assert captured.stdout == "grün\n"
    assert captured.stderr == "oh\n"
    assert shell.user_ns["kept"].stdout == "grün\n"
    result, captured = cell("%%guest\necho before\nls /nonesuch")
    error = failure((result, captured))
    assert isinstance(error, CommandError)
    assert error.exit_status == 2
    # What was shown while it came is not shown again.
    assert captured.stdout.count("before") == 1
    assert not captured.outputs
    _, captured = cell("%guest echo seen; exit 4")
    assert "seen" in bundles(captured)


def test_a_time_limit_ends_shell_lines(cell: Cell) -> None:
    error = failure(cell("%%guest --timeout 0.5\necho begun\nsleep 600"))
    assert isinstance(error, CommandTimeout)
    assert "\n" not in str(error)
    assert value(cell("%guest pgrep -c sleep || true")).stdout == "0\n"


HANG = FIRST.replace("return n < 0 ? -ENODEV : 0;", "while (n)\n\t\tcpu_relax();\n\treturn 0;")


def test_a_hang_is_told_with_its_line_and_the_next_cell_has_a_fresh_machine(cell: Cell) -> None:
    value(cell(f"%%kmod first\n{HANG}"))
    value(cell("%lsmod"))
    value(cell("vm.patience = 4"))
    outcome = cell("%insmod first")
    error = failure(outcome)
    assert isinstance(error, KernelHang)
    assert str(error).startswith("insmod first.ko: endless loop in first_init at In[")
    assert "cpu_relax();" in bundles(outcome[1])
    result, captured = cell("%insmod hello")
    assert result.result.name == "hello"
    assert "this is a fresh one" in bundles(captured)


def test_the_machine_is_told_of_paused_resumed_and_replaced(cell: Cell, shell: InteractiveShell) -> None:
    value(cell("%insmod hello"))
    status = value(cell("%vm"))
    assert status.modules == ("hello",)
    for shown in looks(shell, status):
        assert "running" in shown
    assert value(cell("%vm pause")).state == "paused"
    assert isinstance(failure(cell("%lsmod")), MachineStateError)
    assert value(cell("%vm resume")).state == "running"
    assert value(cell("%vm reset")).modules == ()
    assert value(cell("%vm stop")).state == "closed"
    result, captured = cell("%lsmod hello")
    assert result.result == ()
    assert "this is a fresh one" in bundles(captured)


def test_a_machine_of_the_learners_own_is_the_one_that_magics_use(cell: Cell, shell: InteractiveShell) -> None:
    with Machine() as theirs:
        shell.user_ns["vm"] = theirs
        value(cell("%insmod hello"))
        assert theirs.lsmod()[0].name == "hello"
    assert value(cell("%lsmod hello")) == ()
    assert shell.user_ns["vm"] is not theirs


def test_after_a_panic_the_log_can_be_read_and_the_next_magic_has_a_fresh_machine(cell: Cell, lab: Lab) -> None:
    value(cell("%insmod hello"))
    result, captured = cell("%guest echo c > /proc/sysrq-trigger")
    assert isinstance(failure((result, captured)), MachineLost)
    assert "Kernel panic" in bundles(captured)
    assert value(cell("%vm")).state == "lost"
    assert "Kernel panic - not syncing" in value(cell("%dmesg")).text()
    result, captured = cell("%lsmod hello")
    assert result.result == ()
    assert "The machine was lost" in bundles(captured)
    assert value(cell("%vm")).state == "running"


def test_a_killed_qemu_is_told_at_once_and_replaced(cell: Cell, lab: Lab) -> None:
    value(cell("%lsmod"))
    os.kill(lab.machine().pid, signal.SIGKILL)
    begun = time.monotonic()
    result, captured = cell("%insmod hello")
    assert time.monotonic() - begun < 10
    # Whichever comes first: the loss in the middle of the cell, or its notice before the cell began.
    if result.success:
        assert "The machine was lost" in bundles(captured)
    else:
        assert isinstance(failure((result, captured)), MachineLost)
        value(cell("%insmod hello"))
    assert lab.machine().state is State.RUNNING


@pytest.fixture
def interrupt_when() -> Iterator[Interrupt]:
    """Send this process SIGINT, as the stop button does, as soon as a condition holds."""
    threads = []

    def start(condition: Callable[[], object]) -> None:
        def watch() -> None:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                if condition():
                    os.kill(os.getpid(), signal.SIGINT)
                    return

        threads.append(threading.Thread(target=watch))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


def runs(name: str) -> Callable[[], bool]:
    """Whether one of this process's children has a program with this name in its command line."""
    folder = Path(f"/proc/{os.getpid()}/task")

    def look() -> bool:
        children = " ".join(path.read_text() for path in folder.glob("*/children"))
        for child in children.split():
            try:
                if name.encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                    return True
            except OSError:
                continue
        return False

    return look


def test_an_interrupted_build_leaves_nothing_and_the_next_cell_works(
    cell: Cell, lab: Lab, interrupt_when: Interrupt
) -> None:
    value(cell("%lsmod"))
    different = FIRST.replace("n is", f"{time.time_ns()} is")
    confined = "/confine" if choose().in_place else "bwrap"
    interrupt_when(runs(confined))
    error = failure(cell(f"%%kmod first\n{different}"))
    assert isinstance(error, KeyboardInterrupt)
    assert not runs(confined)()
    assert "first" not in lab.modules
    value(cell(f"%%kmod first --load\n{different}"))


def test_an_interrupted_clone_is_made_again(cell: Cell, lab: Lab, interrupt_when: Interrupt) -> None:
    value(cell("%lsmod"))
    lab.close()
    interrupt_when(runs("qemu-system"))
    result, captured = cell("%lsmod")
    assert isinstance(failure((result, captured)), KeyboardInterrupt)
    assert "interrupted" in captured.stdout
    assert not runs("qemu-system")()
    value(cell("%insmod hello"))


def test_a_program_runs_in_the_machine(cell: Cell) -> None:
    text = '#include "scribble_ioctl.h"\n#include <stdio.h>\nint main(void) { printf("%#x\\n", SCRIBBLE_GET_SIZE); }\n'
    assert "%guest ./ask runs it" in str(value(cell(f"%%program ask --headers scribble\n{text}")))
    assert value(cell("%guest ./ask")).stdout == "0x8004b703\n"
    error = failure(cell(f"%%program ask --headers scribble\n{text.replace(';', '', 1)}"))
    assert isinstance(error, CompileError)
    assert error.diagnostics[0].where.startswith("In[3]:4:")  # of the cell
    assert isinstance(value(cell("%%program -e ask\nint main(void) { return x; }")), CompileError)


def test_an_interrupted_command_ends_in_the_guest_too(cell: Cell, lab: Lab, interrupt_when: Interrupt) -> None:
    vm = lab.machine()
    # Asked from another thread, so it also shows that several commands can be under way at once.
    interrupt_when(lambda: vm.run("pgrep sleep").exit_status == 0)
    result, captured = cell("%%guest\necho begun\nsleep 600")
    assert isinstance(failure((result, captured)), KeyboardInterrupt)
    assert "begun" in captured.stdout
    assert "the machine goes on" in captured.stdout
    assert vm.state is State.RUNNING
    assert value(cell("%guest pgrep -c sleep || true")).stdout == "0\n"


@pytest.mark.notebook
def test_a_notebook_from_the_first_cell_to_the_last(tmp_path: Path) -> None:
    cells = [
        "import kmodlab\n%load_ext kmodlab",
        f"%%kmod first --load n=3\n{FIRST}",
        "rows = %lsmod first\nassert rows[0].name == 'first'\nprint('pid', vm.pid)",
        "%%guest\nfor n in 1 2 3; do echo line $n; done",
        "%rmmod first",
        "kmodlab.plot.memory(vm.memory())",
        f"%%kmod first\n{FIRST.replace('return n', 'return m')}",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    client = NotebookClient(notebook, timeout=120, allow_errors=True, store_widget_state=False)
    # On a loop of its own, which is closed here: nbclient keeps the one that it makes itself.
    asyncio.run(client.async_execute(cwd=str(tmp_path)))
    outputs = [one.outputs for one in notebook.cells]
    errors = [[output.get("ename") for output in found if output.output_type == "error"] for found in outputs]
    assert errors == [[], [], [], [], [], [], ["CompileError"]]
    assert "first: n is 3" in outputs[1][0].data["text/html"]
    assert "first: n is 3" in outputs[1][0].data["text/plain"]
    assert "".join(output.text for output in outputs[3]) == "line 1\nline 2\nline 3\n"
    assert "first: bye" in outputs[4][0].data["text/plain"]
    (picture,) = outputs[5]
    assert '<img alt="' in picture.data["text/html"]
    shown, error = outputs[6]
    assert "In[7]:8:" in shown.data["text/html"]
    assert error.traceback == [f"CompileError: {error.evalue.splitlines()[0]}"]
    assert not Path(f"/proc/{outputs[2][0].text.split()[1]}").exists()
