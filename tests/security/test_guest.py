# SPDX-License-Identifier: MIT
"""The wall between a guest and the host: what QEMU may still do, and what can be brought out of a guest."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import TransferError, UsageError

pytestmark = pytest.mark.machine


def limits(pid: int) -> dict[str, str]:
    """The hard limits of a process, by the words of ``/proc/PID/limits``."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): line[47:68].strip() for line in lines}


def test_qemu_is_bounded(machine: kmodlab.Machine) -> None:
    assert machine.pid
    found = limits(machine.pid)
    assert int(found["Max address space"]) == (256 << 20) + (2 << 30)
    assert int(found["Max open files"]) == 512
    assert found["Max core file size"] == found["Max locked memory"] == "0"
    if os.geteuid() == 0:
        assert int(found["Max processes"]) == 128


@pytest.mark.slow
def test_qemu_has_room_left_within_its_bounds(machine: kmodlab.Machine) -> None:
    """All of the guest's memory and its disks in use take no more than half of what is allowed beyond the memory."""
    machine.check("dd if=/dev/zero of=/dev/vdb bs=1M count=60; find / -xdev -type f | head -300 | xargs cat >/dev/null")
    machine.run("tail -c 150M /dev/zero | cat | wc -c", timeout=60)
    text = Path(f"/proc/{machine.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmPeak"))
    assert peak < (256 << 10) + (1 << 20)
    assert len(list(Path(f"/proc/{machine.pid}/fd").iterdir())) < 256


def test_qemu_is_in_an_empty_network(machine: kmodlab.Machine) -> None:
    def network(pid: int | str | None) -> Path:
        return Path(f"/proc/{pid}/ns/net").readlink()

    if network(machine.pid) == network("self"):
        assert os.geteuid() != 0, "root may always make a network namespace"
        pytest.skip("this host forbids user namespaces")
    table = Path(f"/proc/{machine.pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in table] == ["lo"]
    assert Path(f"/proc/{machine.pid}/net/route").read_text().count("\n") <= 1  # at most a heading
    sockets = Path(f"/proc/{machine.pid}/net/unix").read_text().splitlines()[1:]
    assert not sockets  # the two that it was given belong to the network they were made in


def test_what_qemu_has_open_is_what_it_was_given(machine: kmodlab.Machine, frozen: KernelBuild) -> None:
    """Nothing that can be written but its own console, scratch disk and two sockets; no folder, no terminal."""
    folder = Path(f"/proc/{machine.pid}")
    for link in (folder / "fd").iterdir():
        target = str(link.readlink())
        flags = int((folder / "fdinfo" / link.name).read_text().split("flags:")[1].split()[0], 8)
        writable = flags & os.O_ACCMODE != os.O_RDONLY
        own = target.startswith(("socket:", "pipe:", "anon_inode:", "/memfd:kmodlab-")) or target == "/dev/null"
        assert own or (not writable and target.endswith("root.squashfs")), target


def test_the_scratch_disk_cannot_be_made_larger(machine: kmodlab.Machine) -> None:
    links = Path(f"/proc/{machine.pid}/fd").iterdir()
    scratch = next(link for link in links if "kmodlab-scratch" in str(link.readlink()))
    with pytest.raises(PermissionError):
        os.truncate(scratch, 1 << 40)


def test_the_guest_finds_no_way_to_the_host(machine: kmodlab.Machine) -> None:
    """No other machine answers on its card, no other port leads out, and no file system of the host is offered."""
    machine.check("ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2")
    for address in ("10.0.2.2", "10.0.2.3", "169.254.169.254", "1.1.1.1"):
        assert machine.run(f"timeout 1 nc -z -w 1 {address} 80").exit_status != 0
    machine.check("ip -6 addr add fe80::2/64 dev eth0 nodad || true")
    assert machine.run("timeout 1 ping -c 1 ff02::1%eth0 | grep -v fe80::2 | grep 'bytes from'").exit_status != 0
    assert machine.check("ls /sys/class/virtio-ports").stdout.split() == ["vport0p1"]
    drivers = machine.check("cat /sys/bus/virtio/devices/*/device").stdout.split()
    assert not {"0x0009", "0x001a", "0x0013"} & set(drivers)  # 9p, virtiofs, vsock: what shares with a host


def test_what_is_pulled_is_a_regular_file(machine: kmodlab.Machine, tmp_path: Path) -> None:
    machine.check(
        "ln -s /etc/hostname link; mkfifo pipe; mknod null c 1 3; echo x > run.sh; chmod 6777 run.sh; mkdir folder; "
        "ln -s loop loop; ln -s / root"
    )
    assert machine.pull("link", tmp_path / "link") == b"kmodlab\n"
    assert machine.pull("pipe", tmp_path / "pipe") == b""
    assert machine.pull("null", tmp_path / "null") == b""
    assert machine.pull("run.sh", tmp_path / "run.sh") == b"x\n"
    for name in ("folder", "loop", "root", "none", "../../proc/self/mem"):
        with pytest.raises(TransferError):
            machine.pull(name, tmp_path / "not-there")
    facts = {path.name: path.lstat().st_mode for path in tmp_path.iterdir()}
    assert set(facts) == {"link", "pipe", "null", "run.sh"}
    assert all(stat.S_ISREG(mode) and stat.S_IMODE(mode) == 0o644 for mode in facts.values())


def test_a_place_that_is_no_regular_file_is_not_written(machine: kmodlab.Machine, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "."):
        with pytest.raises(UsageError):
            machine.pull("/etc/hostname", tmp_path / name)
    assert (tmp_path / "outside").read_text() == "kept"


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/kcore", "/dev/vda"])
def test_a_file_without_end(machine: kmodlab.Machine, tmp_path: Path, path: str) -> None:
    start = time.monotonic()
    with pytest.raises(TransferError):
        machine._session.pull(path, tmp_path / "endless", limit=4 << 20)  # type: ignore[union-attr]
    assert time.monotonic() - start < 30
    assert not list(tmp_path.iterdir())
    assert machine.run("echo alive").stdout == "alive\n"


def test_a_clock_that_jumps_in_the_guest(machine: kmodlab.Machine) -> None:
    """Far into the future and back to 1970: time limits, the log and the module list go on as before."""
    for date in ("2099-01-01", "1970-01-02", "2026-06-01"):
        machine.check(["date", "-s", date])
        assert machine.run("echo fine; sleep 0.1", timeout=20).stdout == "fine\n"
        with pytest.raises(kmodlab.errors.CommandTimeout):
            machine.run("sleep 100", timeout=0.5)
    machine.modprobe("loop")
    assert not machine.suspicions()
