# SPDX-License-Identifier: MIT
"""One machine, from its start to its end: what is fresh, what is bounded, what dies with whom."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import CommandError, CommandTimeout, MachineLost, MachineStateError
from kmodlab.machine.machine import State
from tests.conftest import gone

pytestmark = pytest.mark.machine

BuildModule = Callable[[str], ModuleArtifact]


def test_a_clone_runs_the_kernel_it_was_asked_for(machine: kmodlab.Machine, frozen: KernelBuild) -> None:
    assert machine.check("uname -r").stdout.strip() == frozen.release
    assert machine.check("nproc").stdout.strip() == "2"


def test_the_userland_is_there(machine: kmodlab.Machine) -> None:
    tools = "insmod rmmod modprobe lsmod modinfo depmod dmesg mount bash dd ip ss ps free strace mkfs.ext4 ping ethtool"
    assert machine.run(f"for tool in {tools}; do command -v $tool >/dev/null || echo $tool; done").stdout == ""


def test_the_devices_are_there(machine: kmodlab.Machine) -> None:
    machine.check("mkfs.ext4 -q /dev/vdb && modprobe ext4 && mount /dev/vdb /mnt && touch /mnt/file && umount /mnt")
    assert "0x1234" in machine.check("cat /sys/bus/pci/devices/*/vendor").stdout  # QEMU's edu device is 1234:11e8
    assert "0x11e8" in machine.check("cat /sys/bus/pci/devices/*/device").stdout


def test_the_network_reaches_nothing(machine: kmodlab.Machine) -> None:
    machine.check("ip link set eth0 up && ip address add 10.0.2.15/24 dev eth0 && ip route add default via 10.0.2.2")
    assert machine.run("ping -c 1 -W 1 10.0.2.2").exit_status != 0
    assert machine.run("ping -c 1 -W 1 127.0.0.1").exit_status == 0


def test_nothing_survives_a_reset(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    machine.insmod(lab_module("hello"))
    machine.check("echo secret > /root/file; echo secret | dd of=/dev/vdb conv=fsync 2>/dev/null")
    machine.reset()
    assert "hello" not in [row.name for row in machine.lsmod()]
    assert machine.run("cat /root/file").exit_status != 0
    assert machine.check("head -c 6 /dev/vdb | od -An -tx1").stdout.split() == ["00"] * 6
    assert not machine.dmesg().containing("hello")


def test_clones_differ(machine: kmodlab.Machine, frozen: KernelBuild) -> None:
    ask = "cat /etc/machine-id; cat /sys/class/net/eth0/address; head -c 16 /dev/urandom | od -An -tx1"
    with kmodlab.Machine(frozen) as other:
        mine, theirs = machine.check(ask).stdout.splitlines(), other.check(ask).stdout.splitlines()
    assert len(mine) == 3
    assert all(one != another for one, another in zip(mine, theirs, strict=True))


def test_the_wall_clock_is_right(machine: kmodlab.Machine) -> None:
    assert abs(float(machine.check("date +%s.%N").stdout) - time.time()) < 2


def test_what_a_command_says(machine: kmodlab.Machine) -> None:
    result = machine.run("echo out; echo err >&2; exit 3")
    assert (result.exit_status, result.stdout, result.stderr) == (3, "out\n", "err\n")
    with pytest.raises(CommandError, match="exit status 3") as caught:
        machine.check("echo out; echo err >&2; exit 3")
    assert caught.value.stderr == "err\n"


def test_a_command_that_does_not_end(machine: kmodlab.Machine) -> None:
    with pytest.raises(CommandTimeout) as caught:
        machine.run("echo begun; sleep 1000", timeout=1)
    assert caught.value.stdout == "begun\n"
    assert machine.run("true").exit_status == 0


def test_files_travel_both_ways(machine: kmodlab.Machine, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    machine.push(data, "/root/data", mode=0o600)
    assert machine.pull("data", tmp_path / "back") == data
    assert (tmp_path / "back").read_bytes() == data
    assert machine.check("stat -c %a /root/data").stdout.strip() == "600"


def test_the_log_is_whole_after_a_panic(machine: kmodlab.Machine) -> None:
    machine.check("for i in {1..2000}; do echo line $i > /dev/kmsg; done")
    with pytest.raises(MachineLost) as caught:
        machine.run("echo c > /proc/sysrq-trigger")
    assert caught.value.reason == "panic"
    log = machine.dmesg()
    assert [record.text for record in log.containing("line ")] == [f"line {i}" for i in range(1, 2001)]
    assert log.containing("Kernel panic - not syncing: sysrq triggered crash")
    assert log.containing("</TASK>")
    assert machine.state is State.LOST


def test_qemu_killed_from_outside(machine: kmodlab.Machine) -> None:
    assert machine.pid
    os.kill(machine.pid, signal.SIGKILL)
    with pytest.raises(MachineLost) as caught:
        machine.run("true")
    assert caught.value.reason == "killed"
    assert machine.reset().run("true").exit_status == 0


def test_a_call_that_does_not_fit_the_state(machine: kmodlab.Machine) -> None:
    machine.pause()
    with pytest.raises(MachineStateError, match="paused"):
        machine.run("true")
    machine.resume()
    assert machine.run("true").exit_status == 0
    machine.kill()
    with pytest.raises(MachineStateError, match="closed"):
        machine.run("true")
    machine.kill()


def test_a_paused_machine_costs_nothing(machine: kmodlab.Machine) -> None:
    def ticks() -> int:
        words = Path(f"/proc/{machine.pid}/stat").read_text().rpartition(")")[2].split()
        return int(words[11]) + int(words[12])  # utime and stime, see proc(5)

    machine.pause()
    before = ticks()
    with pytest.raises(TimeoutError):  # a second in which nothing is asked of it
        kmodlab.aio.call(_for_ever(), timeout=1)
    assert ticks() - before <= 2


async def _for_ever() -> None:
    import asyncio

    await asyncio.Event().wait()


def test_a_spinning_module_leaves_the_agent_alive(machine: kmodlab.Machine, frozen: KernelBuild) -> None:
    text = """
    #include <linux/module.h>
    static int __init spin_init(void) { for (;;) cpu_relax(); return 0; }
    module_init(spin_init);
    MODULE_LICENSE("GPL");
    """
    spin = kmodlab.build(kmodlab.ModuleSource.from_text("spin", text), frozen)
    machine.push(spin.path, "/root/spin.ko")
    machine.run("insmod /root/spin.ko >/dev/null 2>&1 &")
    deadline = time.monotonic() + 30
    while "Loading" not in [row.state for row in machine.lsmod() if row.name == "spin"]:
        assert time.monotonic() < deadline
    assert machine.run("echo alive", timeout=30).stdout == "alive\n"


def test_qemu_has_no_rights(machine: kmodlab.Machine) -> None:
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{machine.pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert int(status["CapEff"], 16) == 0
    if os.geteuid() == 0:
        assert set(status["Uid"].split()) != {"0"}


def test_the_template_cannot_be_written_through_a_clone(machine: kmodlab.Machine) -> None:
    links = Path(f"/proc/{machine.pid}/fd").iterdir()
    memory = next(link for link in links if "kmodlab-memory" in str(link.readlink()))
    descriptor = os.open(memory, os.O_RDWR)
    try:
        with pytest.raises(PermissionError):
            os.write(descriptor, b"changed")
        with pytest.raises(PermissionError):
            mmap.mmap(descriptor, 4096, flags=mmap.MAP_SHARED)
    finally:
        os.close(descriptor)


OWNER = """
import os, sys, kmodlab
vm = kmodlab.Machine().start()
print(vm.pid, flush=True)
{then}
"""


def _owner(then: str) -> tuple[subprocess.Popen[str], int]:
    """Another Python that owns a machine; return it and the process id of its QEMU."""
    child = subprocess.Popen(
        [sys.executable, "-c", OWNER.format(then=then)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert child.stdout
    return child, int(child.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_qemu_dies_with_its_owner(frozen: KernelBuild, number: signal.Signals) -> None:
    child, qemu = _owner("sys.stdin.read()")
    with child:
        child.send_signal(number)
        child.wait(20)
    assert gone(qemu)


def test_qemu_dies_with_an_owner_that_just_ends(frozen: KernelBuild) -> None:
    child, qemu = _owner("")
    with child:
        assert child.wait(20) == 0
    assert gone(qemu)


def test_qemu_dies_though_a_fork_of_its_owner_lives_on(frozen: KernelBuild) -> None:
    child, qemu = _owner("""
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
os._exit(1)
""")
    with child:
        child.wait(20)
        assert gone(qemu)


def test_qemu_dies_with_its_supervisor(machine: kmodlab.Machine) -> None:
    qemu = machine.pid
    assert qemu
    parent = int(Path(f"/proc/{qemu}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    assert gone(qemu)


def _interrupt_after(seconds: float) -> threading.Timer:
    """Send this process' main thread SIGINT, as a notebook's stop button does."""
    timer = threading.Timer(seconds, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
    timer.start()
    return timer


def test_an_interrupt_leaves_the_machine_usable(machine: kmodlab.Machine) -> None:
    for delay in (0.02, 0.1, 0.3):
        timer = _interrupt_after(delay)
        with pytest.raises(KeyboardInterrupt):
            machine.run("sleep 100")
        timer.join()
    assert machine.run("echo usable").stdout == "usable\n"
    assert machine.run("pgrep -x sleep").stdout == ""


def test_an_interrupt_of_a_clone_leaves_nothing(frozen: KernelBuild) -> None:
    for delay in (0.01, 0.05, 0.1):
        vm = kmodlab.Machine(frozen)
        timer = _interrupt_after(delay)
        with pytest.raises(KeyboardInterrupt):
            vm.start()
            timer.join()
        timer.join()
        vm.kill()


def test_machines_side_by_side(frozen: KernelBuild) -> None:
    machines = [kmodlab.Machine(frozen).start() for _ in range(4)]
    try:
        for number, vm in enumerate(machines):
            vm.check(f"echo {number} > /root/number")
        assert [vm.check("cat /root/number").stdout.strip() for vm in machines] == ["0", "1", "2", "3"]
    finally:
        for vm in machines:
            vm.kill()
