# SPDX-License-Identifier: MIT
"""What is left behind: differences of listings, without what comes and goes by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.records.leftovers import LISTS, Surroundings, find_leftovers

PATHS = [
    "/proc/misc",
    "/sys/class/mem",
    "/sys/devices/virtual/mem/null",
    "/sys/devices/virtual/mem/null/uevent",
    "/dev/null",
]

# Lines of Debian's 6.1 kernel, before and with something more.
INTERRUPTS = """\
           CPU0       CPU1
  0:        134          0   IO-APIC   2-edge      timer
  9:          0          1   IO-APIC   9-fasteoi   acpi
NMI:          0          0   Non-maskable interrupts
"""
TIMERS = """\
active timers:
 #0: <00000000ec00d0d4>, tick_sched_timer, S:01
 # expires at 9752000000-9752000000 nsecs [in -2110203 to -2110203 nsecs]
"""
FILES = {
    "/proc/interrupts": (INTERRUPTS, INTERRUPTS.replace("134", "199").replace("acpi", "acpi, edu")),
    "/proc/timer_list": (TIMERS, TIMERS + " #1: <000000009bac8110>, 0xffffffffc0268010, S:01\n"),
    "/proc/devices": (
        "Character devices:\n  1 mem\n\nBlock devices:\n  8 sd\n",
        "Character devices:\n  1 mem\n245 litter\n\nBlock devices:\n  8 sd\n245 sd\n",
    ),
    "/proc/misc": ("228 hpet\n  1 psaux\n", "122 litter\n228 hpet\n  1 psaux\n"),
    "/proc/filesystems": ("nodev\tsysfs\n\text4\n", "nodev\tsysfs\nnodev\tlitterfs\n\text4\n"),
    "/proc/mounts": (
        "proc /proc proc rw 0 0\n",
        "proc /proc proc rw 0 0\nt /sys/kernel/debug/tracing tracefs rw 0 0\nnone /mnt notefs rw 0 0\n",
    ),
    "/proc/net/dev": ("Inter-| R\n face |b\n    lo:  0 0\n", "Inter-| R\n face |b\n    lo:  9 9\n litter0: 0 0\n"),
    "/proc/net/ptype": (
        "Type Device      Function\n0800          ip_rcv\n",
        "Type Device      Function\n0800          ip_rcv\n1234          0xffffffffc0268020\n",
    ),
    "/proc/ioports": ("0000-0cf7 : PCI Bus 0000:00\n", "0000-0cf7 : PCI Bus 0000:00\n  02e0-02e7 : litter\n"),
    "/proc/slabinfo": (
        "slabinfo - version: 2.1\n# name <a>\nfilp 1 2\n",
        "slabinfo - version: 2.1\n# name <a>\nfilp 9 9\nlitter 1 1\n",
    ),
    "/proc/bus/input/devices": ('N: Name="AT Keyboard"\n', 'N: Name="AT Keyboard"\nI: Bus=0000\nN: Name="litter"\n'),
    "/proc/crypto": ("name         : cbc(aes)\ndriver       : x\n", "name         : cbc(aes)\nname         : litter\n"),
}
EXPECTED = [
    ("device number", "block 245 sd"),
    ("device number", "character 245 litter"),
    ("misc device", "litter"),
    ("filesystem", "litterfs"),
    ("mount", "/mnt (notefs)"),
    ("network device", "litter0"),
    ("packet type", "1234 0xffffffffc0268020"),
    ("interrupt", "9 edu"),
    ("timer", "0xffffffffc0268010"),
    ("I/O port", "02e0-02e7 : litter"),
    ("slab cache", "litter"),
    ("input device", "litter"),
    ("algorithm", "litter"),
]


def at(paths: list[str] = PATHS, files: dict[str, str] | None = None, faulty: tuple[str, ...] = ()) -> Surroundings:
    return Surroundings.from_files(paths, {path: text.encode() for path, text in (files or {}).items()}, faulty)


def found(before: Surroundings, after: Surroundings) -> list[tuple[str, str]]:
    return [(one.kind, one.name) for one in find_leftovers(before, after)]


def test_each_list() -> None:
    before = at(files={path: texts[0] for path, texts in FILES.items()})
    after = at(files={path: texts[1] for path, texts in FILES.items()})
    assert found(before, after) == EXPECTED
    assert found(after, before) == []
    assert all(one.name.split()[0] in one.sentence for one in find_leftovers(before, after))


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (["/proc/litter", "/proc/litter/inner"], [("proc entry", "/proc/litter")]),
        (["/proc/sys/kernel/litter"], [("sysctl", "/proc/sys/kernel/litter")]),
        (["/sys/kernel/debug/litter", "/sys/kernel/debug/litter/x"], [("debugfs entry", "/sys/kernel/debug/litter")]),
        (["/sys/kernel/litter"], [("sysfs entry", "/sys/kernel/litter")]),
        (["/sys/kernel/slab/litter", "/sys/kernel/slab/:0000192"], [("slab cache", "/sys/kernel/slab/litter")]),
        (
            ["/sys/bus/pci/drivers/litter", "/sys/bus/pci/drivers/litter/bind"],
            [("driver", "/sys/bus/pci/drivers/litter")],
        ),
        (["/sys/module/litter"], [("module", "/sys/module/litter")]),
        (
            [
                "/sys/class/litter",
                "/sys/class/litter/litter7",
                "/sys/class/mem/litter7",
                "/sys/devices/virtual/litter",
                "/sys/devices/virtual/litter/litter7",
                "/sys/devices/virtual/litter/litter7/uevent",
                "/sys/devices/virtual/litter/litter7/inner/uevent",
                "/sys/dev/char/240:7",
                "/dev/litter7",
            ],
            [
                ("device node", "/dev/litter7"),
                ("class", "/sys/class/litter"),
                ("device", "/sys/devices/virtual/litter/litter7"),
            ],
        ),
        (["/proc/77", "/proc/self/x", "/proc/irq/5", "/sys/kernel/tracing/x", "/dev/pts/3", "/sys/kernel/irq/5"], []),
    ],
)
def test_new_paths(new: list[str], expected: list[tuple[str, str]]) -> None:
    assert found(at(), at([*PATHS, *new])) == expected


def test_kernel_threads_but_not_the_pool_of_workers() -> None:
    def stat(number: int, name: str, flags: int) -> dict[str, str]:
        return {f"/proc/{number}/stat": f"{number} ({name}) S 2 0 0 0 -1 {flags} 0 0 0 0 0"}

    after = at(
        files={
            **stat(8, "kworker/0:1", 0x208040),
            **stat(9, "lit) ter", 0x208040),
            **stat(11, "kworker/R-litter", 0x208040),
            **stat(10, "bash", 0x400000),
        }
    )
    assert found(at(), after) == [("kthread", "kworker/R-litter (11)"), ("kthread", "lit) ter (9)")]


def test_a_network_device_is_told_once() -> None:
    paths = [
        "/proc/sys/net/ipv4/conf/litter0",
        "/sys/devices/virtual/net/litter0",
        "/sys/devices/virtual/net/litter0/uevent",
    ]
    before, after = FILES["/proc/net/dev"]
    expected = [("network device", "litter0")]
    assert found(at(files={"/proc/net/dev": before}), at([*PATHS, *paths], {"/proc/net/dev": after})) == expected


def test_a_list_that_faults_is_a_leftover() -> None:
    (one,) = find_leftovers(at(), at(faulty=("/proc/misc",)))
    assert one.kind == "dangling entry" and "/proc/misc can no longer be read" in str(one)


@given(st.dictionaries(st.sampled_from(sorted(one.path for one in LISTS.values())), st.text(max_size=200)))
def test_any_text_is_read(files: dict[str, str]) -> None:
    seen = at(files=files)
    assert found(seen, seen) == []
