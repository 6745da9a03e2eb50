# SPDX-License-Identifier: MIT
"""The modules of ``lab_modules``, used as programs use them, inside a real kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.program import build_program
from kmodlab.errors import ModuleLoadError, ModuleUnloadError
from kmodlab.resources import resource

pytestmark = pytest.mark.machine

BuildModule = Callable[[str], ModuleArtifact]

PROGRAMS = Path(__file__).parents[1] / "programs"
FOLDERS = ("hello", "scribble", "notefs", "loopnic", "exporter")
UNHARMFUL = {"O", "E"}
"""The taint letters of a module that is built outside the kernel's tree and not signed."""


def install(vm: kmodlab.Machine, program: str) -> None:
    """Compile a program of ``tests/programs`` and put it where the guest's shell finds it."""
    path = build_program(
        PROGRAMS / f"{program}.c", includes=[resource("lab_modules") / "scribble"], arch=vm.kernel.arch
    )
    vm.push(path, f"/usr/bin/{program}", mode=0o755)


def load(vm: kmodlab.Machine, built: ModuleArtifact, **parameters: int | str) -> None:
    """Load a module and the further ones of the same folder."""
    vm.insmod(built, **parameters)
    for other in built.others:
        vm.insmod(other)


def unload(vm: kmodlab.Machine, built: ModuleArtifact) -> None:
    """The same, the other way round."""
    for module in (*reversed(built.others), built):
        vm.rmmod(module.name)


def assert_healthy(vm: kmodlab.Machine) -> None:
    """Nothing but the module's own messages in the log, and no taint but that of a foreign module."""
    assert {flag.letter for flag in vm.taint().flags} <= UNHARMFUL
    assert not [str(record) for record in vm.dmesg() if record.level <= 3]
    assert not re.search(r"WARNING|BUG|Call Trace|refcount_t", str(vm.dmesg()))


def statistics(vm: kmodlab.Machine, namespace: str, device: str) -> dict[str, int]:
    """The counters of ``ethtool -S``."""
    text = vm.check(f"ip netns exec {namespace} ethtool -S {device}").stdout
    return {name: int(value) for name, value in re.findall(r"(\w+): (\d+)", text)}


def counters(vm: kmodlab.Machine, namespace: str, device: str) -> dict[str, int]:
    """The counters in ``/sys/class/net``."""
    text = vm.check(f"ip netns exec {namespace} grep -H . -r /sys/class/net/{device}/statistics").stdout
    return {name: int(value) for name, value in re.findall(r"(\w+):(\d+)", text)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_loading_and_unloading_twice_leaves_a_clean_log(
    machine: kmodlab.Machine, lab_module: BuildModule, folder: str
) -> None:
    built = lab_module(folder)
    before = {row.name for row in machine.lsmod()}
    for _ in range(2):
        load(machine, built)
        assert {row.name for row in machine.lsmod()} - before == {m.name for m in (built, *built.others)}
        unload(machine, built)
        assert {row.name for row in machine.lsmod()} == before
    assert_healthy(machine)


@pytest.mark.parametrize("folder", FOLDERS)
def test_building_gives_no_warning(lab_module: BuildModule, folder: str) -> None:
    assert lab_module(folder).diagnostics == ()


# -- hello ------------------------------------------------------------------------------------------------------------


def test_hello_greets_as_often_as_it_is_told(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    machine.insmod(lab_module("hello"), whom="students", times=3)
    machine.rmmod("hello")
    assert [record.text for record in machine.dmesg().containing("students")] == [
        "hello: hello, students (1 of 3)",
        "hello: hello, students (2 of 3)",
        "hello: hello, students (3 of 3)",
        "hello: goodbye, students",
    ]


def test_hello_checks_its_parameters(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    built = lab_module("hello")
    for bad in ({"times": 0}, {"times": 11}, {"times": "often"}, {"whom": ""}):
        with pytest.raises(ModuleLoadError):
            machine.insmod(built, **bad)
    machine.insmod(built)
    times = "/sys/module/hello/parameters/times"
    assert machine.run(f"echo 11 > {times}").exit_status == 1
    machine.check(f"echo 7 > {times}")
    assert machine.check(f"cat {times}").stdout == "7\n"
    assert machine.run("echo x > /sys/module/hello/parameters/whom").exit_status == 1


# -- scribble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "seed"), [(1, 1), (700, 2), (5000, 3)])
def test_scribble_behaves_like_its_model(
    machine: kmodlab.Machine, lab_module: BuildModule, size: int, seed: int
) -> None:
    machine.insmod(lab_module("scribble"), size=size)
    install(machine, "scribble_model")
    assert machine.check(f"scribble_model /dev/scribble {seed} 10000").stdout == f"ok: 10000 calls on {size} bytes\n"
    assert_healthy(machine)


def test_scribble_with_the_tools_of_the_shell(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    machine.insmod(lab_module("scribble"), size=1000)
    machine.check("echo one > /dev/scribble; echo two >> /dev/scribble")
    assert machine.check("cat /dev/scribble").stdout == "one\ntwo\n"
    assert machine.check("dd if=/dev/scribble bs=1 skip=4 status=none").stdout == "two\n"
    machine.check("echo ONE | dd of=/dev/scribble conv=notrunc status=none")
    assert machine.check("cat /dev/scribble").stdout == "ONE\ntwo\n"
    full = machine.run("dd if=/dev/zero of=/dev/scribble bs=300 status=none")
    assert full.exit_status == 1
    assert "No space left on device" in full.stderr
    assert machine.check("wc -c < /dev/scribble").stdout == "1000\n"


def test_scribble_wakes_who_waits_in_poll(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    machine.insmod(lab_module("scribble"))
    install(machine, "scribble_poll")
    said = machine.check("scribble_poll /dev/scribble", timeout=30).stdout.splitlines()
    assert {"a write wakes the reader", "clearing wakes the writer", "a read shows the map"} <= set(said)
    assert_healthy(machine)


def test_scribble_lets_a_reader_wait_for_more(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    machine.insmod(lab_module("scribble"), wait=1, size=20)
    asleep = "until grep -q scribble_read /proc/$reader/stack; do :; done"
    said = machine.check(
        f"cat /dev/scribble > heard & reader=$!; {asleep}; grep State /proc/$reader/status;"
        f"echo one > /dev/scribble; until grep -q one heard; do :; done; {asleep};"
        f"echo two >> /dev/scribble; until grep -q two heard; do :; done; {asleep};"
        "kill $reader; wait $reader; echo $?; cat heard",
        timeout=30,
    ).stdout
    assert said == "State:\tS (sleeping)\n143\none\ntwo\n"
    # Nobody waits who asked not to, or for whom nothing can come any more.
    refused = machine.run("dd if=/dev/scribble iflag=nonblock skip=8 bs=1 status=none").stderr
    assert "Resource temporarily unavailable" in refused
    assert machine.run("dd if=/dev/zero of=/dev/scribble bs=1k count=1 status=none").exit_status == 1  # ENOSPC
    assert machine.check("wc -c < /dev/scribble", timeout=5).stdout == "20\n"
    machine.rmmod("scribble")
    assert_healthy(machine)


def test_scribble_stays_while_it_is_open(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    machine.insmod(lab_module("scribble"))
    held = machine.run("exec 5< /dev/scribble; rmmod scribble; lsmod | grep scribble")
    assert "is in use" in held.stderr
    assert held.stdout.split()[2] == "2"  # the cdev counts an open file, and so do its file operations
    machine.rmmod("scribble")
    assert machine.run("test -e /dev/scribble").exit_status == 1


def test_scribble_refuses_an_impossible_size(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    for size in (0, 16 * 2**20 + 1):
        with pytest.raises(ModuleLoadError):
            machine.insmod(lab_module("scribble"), size=size)
    machine.insmod(lab_module("scribble"), size=16 * 2**20)


# -- notefs -----------------------------------------------------------------------------------------------------------


def load_notefs(vm: kmodlab.Machine, lab_module: BuildModule) -> None:
    """Load it, and name it to ``mount``, which takes ``-t no…`` for "any type but …" and tries those in this file."""
    vm.insmod(lab_module("notefs"))
    vm.check("grep -qsx notefs /etc/filesystems || echo notefs >> /etc/filesystems")


@pytest.fixture
def mounted(machine: kmodlab.Machine, lab_module: BuildModule) -> kmodlab.Machine:
    """A machine with a notefs of 1 MiB on ``/mnt``."""
    load_notefs(machine, lab_module)
    machine.check("mount -t notefs -o size=1m none /mnt")
    return machine


def test_notefs_keeps_the_rules_of_posix(mounted: kmodlab.Machine) -> None:
    install(mounted, "tree_check")
    assert mounted.check("tree_check /mnt").stdout == "ok\n"
    mounted.check("umount /mnt")
    mounted.rmmod("notefs")
    assert_healthy(mounted)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_notefs_holds_what_was_written(mounted: kmodlab.Machine, seed: int) -> None:
    install(mounted, "fsx")
    assert mounted.check(f"fsx /mnt {seed} 5000").stdout.startswith("ok: 5000 operations")
    mounted.check("umount /mnt")
    mounted.rmmod("notefs")
    assert_healthy(mounted)


def test_notefs_says_how_full_it_is(mounted: kmodlab.Machine) -> None:
    ask = "stat --file-system --format '%b %f %c %d' /mnt"
    assert mounted.check(ask).stdout == "256 255 256 255\n"
    mounted.check("mkdir /mnt/folder; dd if=/dev/zero of=/mnt/folder/file bs=10000 count=1 status=none")
    assert mounted.check(ask).stdout == "256 250 253 250\n"  # two inodes and three blocks more
    assert mounted.check("stat --format '%s %b' /mnt/folder/file").stdout == "10000 24\n"
    assert "size=1024k" in mounted.check("grep notefs /proc/mounts").stdout
    assert "No space left on device" in mounted.run("dd if=/dev/zero of=/mnt/all bs=64k").stderr
    assert mounted.check(ask).stdout == "256 0 4 0\n"


def test_notefs_copies_a_tree(mounted: kmodlab.Machine) -> None:
    mounted.check(
        "mkdir -p /root/tree/{a,b/c} && cd /root/tree && chmod 2750 a && touch -d 2001-02-03 b &&"
        "for i in 1 2 3 4 5 6; do head -c $((i * i * 997)) /dev/urandom | tee a/$i > b/c/$i; done"
    )
    mounted.check("cp -a /root/tree /mnt/copy && diff -r /root/tree /mnt/copy")
    shape = "find . -type f -printf '%P %m %s %T@\\n' -o -type d -printf '%P %m %n %T@\\n' | sort"
    wanted = mounted.check(f"cd /root/tree && {shape}").stdout
    assert mounted.check(f"cd /mnt/copy && {shape}").stdout == wanted
    mounted.check("mv /mnt/copy /mnt/moved && rm -r /mnt/moved")
    assert mounted.check("ls -A /mnt").stdout == ""


def test_notefs_stays_while_it_is_mounted(mounted: kmodlab.Machine) -> None:
    with pytest.raises(ModuleUnloadError):
        mounted.rmmod("notefs")
    assert mounted.run("exec 5> /mnt/file; umount /mnt").exit_status == 32
    mounted.check("umount /mnt")
    mounted.rmmod("notefs")


def test_notefs_refuses_options_it_does_not_know(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    load_notefs(machine, lab_module)
    for options in ("size=1x", "size=0", "size=-1", "colour=blue"):
        assert machine.run(f"mount -t notefs -o {options} none /mnt").exit_status == 32
    machine.rmmod("notefs")


def test_notefs_gives_all_its_memory_back(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    load_notefs(machine, lab_module)
    # Free pages that a processor keeps at hand are not in MemFree; on 6.12 these can be many megabytes.
    count = "/^MemFree/ {kilobytes += $2} /^ +count:/ {kilobytes += 4 * $2} END {print kilobytes}"
    free = f"sync; echo 3 > /proc/sys/vm/drop_caches; awk '{count}' /proc/meminfo /proc/zoneinfo"
    fill = "mount -t notefs -o size=48m none /mnt; dd if=/dev/zero of=/mnt/file bs=1M count=40 status=none"
    machine.check(f"{fill}; umount /mnt")
    before = int(machine.check(free).stdout)
    machine.check(fill)
    assert before - int(machine.check(free).stdout) > 38 * 1024
    machine.check("umount /mnt")
    assert before - int(machine.check(free).stdout) < 4 * 1024


# -- loopnic ----------------------------------------------------------------------------------------------------------


def connect(vm: kmodlab.Machine) -> None:
    """Put each end of the pair into a network namespace of its own, with an address, and bring it up."""
    for end, name in enumerate(("left", "right")):
        vm.check(f"ip netns add {name} && ip link set loopnic{end} netns {name}")
        vm.check(f"ip netns exec {name} sysctl -q net.ipv6.conf.loopnic{end}.disable_ipv6=1")  # it sends of itself
        vm.check(f"ip -n {name} address add 10.0.0.{end + 1}/24 dev loopnic{end}")
        vm.check(f"ip -n {name} link set loopnic{end} up")


def transfer(vm: kmodlab.Machine, sender: str, receiver: str, address: str, megabytes: int = 4) -> None:
    """Send random bytes over TCP; the program compares the checksums of both ends."""
    line = f"tcp_sum /run/netns/{sender} /run/netns/{receiver} {address} {megabytes}"
    assert vm.check(line, timeout=60).stdout.startswith(f"ok: {megabytes << 20} bytes")


def assert_both_ends_agree(vm: kmodlab.Machine) -> None:
    """What one end has sent, the other has received, as soon as the last packets have settled."""
    kinds = ("packets", "bytes")
    for _ in range(20):
        left, right = counters(vm, "left", "loopnic0"), counters(vm, "right", "loopnic1")
        sent = [end[f"tx_{kind}"] for end in (left, right) for kind in kinds]
        received = [end[f"rx_{kind}"] for end in (right, left) for kind in kinds]
        if sent == received:
            break
    assert sent == received


@pytest.mark.parametrize("ring", [2, 256])
def test_loopnic_carries_pings_and_tcp(machine: kmodlab.Machine, lab_module: BuildModule, ring: int) -> None:
    machine.insmod(lab_module("loopnic"), ring=ring)
    install(machine, "tcp_sum")
    connect(machine)
    assert "3 received" in machine.check("ip netns exec left ping -c 3 -i 0.1 10.0.0.2").stdout
    assert "1 received" in machine.check("ip netns exec right ping -c 1 -s 5000 10.0.0.1").stdout
    transfer(machine, "left", "right", "10.0.0.2")
    transfer(machine, "right", "left", "10.0.0.1")
    left = counters(machine, "left", "loopnic0")
    assert left["tx_bytes"] > 4 << 20
    assert_both_ends_agree(machine)
    full = statistics(machine, "left", "loopnic0")["tx_ring_full"]
    assert full > 0 if ring == 2 else full < left["tx_packets"]
    machine.rmmod("loopnic")
    assert_healthy(machine)


def test_loopnic_counts_what_it_does(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    machine.insmod(lab_module("loopnic"))
    connect(machine)
    before = statistics(machine, "right", "loopnic1")
    machine.check("ip netns exec left ping -c 5 -i 0.1 10.0.0.2")
    after = statistics(machine, "right", "loopnic1")
    assert after["rx_scheduled"] - before["rx_scheduled"] >= 5
    assert after["rx_polls"] >= after["rx_scheduled"]
    assert after["rx_waiting"] == 0
    assert "driver: loopnic" in machine.check("ip netns exec left ethtool -i loopnic0").stdout


def test_loopnic_has_a_carrier_while_both_ends_are_up(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    machine.insmod(lab_module("loopnic"))
    connect(machine)
    carrier = "ip netns exec left cat /sys/class/net/loopnic0/carrier"
    for change, wanted in (("down", "0\n"), ("up", "1\n"), ("down", "0\n")):
        machine.check(f"ip -n right link set loopnic1 {change}")
        assert machine.check(carrier).stdout == wanted
    assert machine.run("ip netns exec left ping -c 1 -W 1 10.0.0.2").exit_status == 1


def test_loopnic_obeys_its_mtu(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    machine.insmod(lab_module("loopnic"))
    connect(machine)
    big = "ip netns exec left ping -c 1 -W 1 -M do -s 8000 10.0.0.2"
    assert machine.run(big).exit_status != 0  # longer than the sender's MTU
    machine.check("ip -n left link set loopnic0 mtu 9000")
    assert machine.run(big).exit_status == 1  # longer than the receiver's
    assert counters(machine, "right", "loopnic1")["rx_dropped"] > 0
    machine.check("ip -n right link set loopnic1 mtu 9000")
    machine.check(big)
    assert machine.run("ip -n left link set loopnic0 mtu 70000").exit_status != 0


def test_loopnic_can_go_while_packets_fly(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    for _ in range(2):
        machine.insmod(lab_module("loopnic"), ring=2)
        connect(machine)
        machine.check(
            "ip netns exec left ping -q -f 10.0.0.2 > /dev/null 2>&1 & ping=$!;"
            "until [ $(ip netns exec right cat /sys/class/net/loopnic1/statistics/rx_packets) -gt 100 ]; do :; done;"
            "ip -n right link set loopnic1 down; ip -n right link set loopnic1 up;"
            "rmmod loopnic; kill $ping; ip netns delete left; ip netns delete right"
        )
    assert_healthy(machine)


def test_loopnic_refuses_an_impossible_ring(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    for ring in (0, 1, 3, 131072):
        with pytest.raises(ModuleLoadError):
            machine.insmod(lab_module("loopnic"), ring=ring)


# -- exporter and importer --------------------------------------------------------------------------------------------


def test_importer_leans_on_exporter(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    exporter = lab_module("exporter")
    (importer,) = exporter.others
    with pytest.raises(ModuleLoadError, match="exporter_"):
        machine.insmod(importer)
    load(machine, exporter)
    rows = {row.name: row for row in machine.lsmod()}
    assert (rows["exporter"].refcount, rows["exporter"].holders) == (1, ("importer",))
    assert machine.check("cat /sys/module/exporter/parameters/clients").stdout == "importer\n"
    assert machine.dmesg().containing("importer: 2 + 3 = 5, addition number 1")
    with pytest.raises(ModuleUnloadError):
        machine.rmmod("exporter")
    machine.rmmod("importer")
    assert machine.check("cat /sys/module/exporter/parameters/clients").stdout == ""
    machine.rmmod("exporter")
    assert_healthy(machine)


def test_the_symbols_of_exporter(lab_module: BuildModule) -> None:
    exporter = lab_module("exporter")
    exports = {export.name: (export.gpl, export.namespace) for export in exporter.file.exports}
    assert exports.pop("exporter_add")[0] is False
    assert set(exports) == {"exporter_count", "exporter_register", "exporter_unregister"}
    assert {namespace for _, namespace in exports.values()} == {"EXPORTER"}
    assert set(exports) | {"exporter_add"} <= set(exporter.others[0].file.imports)
