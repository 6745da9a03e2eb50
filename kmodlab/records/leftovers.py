# SPDX-License-Identifier: MIT
"""What a module left behind besides memory: the kernel's lists before it was loaded and after it was unloaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import ClassVar

from kmodlab.records.table import Column, Rows

__all__ = ["LISTS", "NOT_VISIBLE", "Leftover", "Surroundings", "find_leftovers"]

NOT_VISIBLE = (
    "timers of timer_setup(): /proc/timer_list shows only those of hrtimer_init()",
    "work that is queued, tasklets, and what was handed to call_rcu()",
    "workqueues without WQ_SYSFS or WQ_MEM_RECLAIM",
    "notifiers (of network devices, reboots, processors …)",
    "netfilter hooks and other pointers that were put into the kernel's structures",
    "character devices of cdev_add() whose numbers were given back",
    "network devices and mounts in other namespaces than the first",
)
"""What no file of the kernel shows; calling into such a leftover ends in an oops that names the unloaded module."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing that a module left behind.

    Attributes:
        kind: e.g. ``device node``, ``kthread``, ``network device``.
        name: the path, or the name in the kernel's list.
        sentence: what it is and what should have removed it.
    """

    kind: str
    name: str
    sentence: str

    COLUMNS: ClassVar[tuple[Column, ...]] = (Column("kind"), Column("name", kind="code"), Column("sentence", "meaning"))

    def __str__(self) -> str:
        """The sentence."""
        return self.sentence


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the kernel shows at one moment.

    Attributes:
        paths: everything below /proc, /sys, /dev and debugfs, without processes and traces.
        lists: the names in its lists, by kind.
        faulty: lists that could not be read, since reading them made the kernel fault or never ended.
    """

    paths: frozenset[str] = frozenset()
    lists: Mapping[str, frozenset[str]] = field(default_factory=dict)
    faulty: frozenset[str] = frozenset()

    @classmethod
    def from_files(cls, paths: Iterable[str], files: Mapping[str, bytes], faulty: Iterable[str] = ()) -> Surroundings:
        """Make them from a listing and the contents of files by path; what is missing is an empty list."""
        lists = {}
        texts = {path: content.decode(errors="replace") for path, content in files.items()}
        for kind, one in LISTS.items():
            lists[kind] = frozenset(one.parse(texts.get(one.path, "")))
        threads = (text for path, text in texts.items() if re.fullmatch(r"/proc/\d+/stat", path))
        lists["kthread"] = frozenset(name for text in threads for name in _kthread(text))
        return cls(frozenset(path for path in paths if not _is_noise(path)), lists, frozenset(faulty))


# -- Paths ------------------------------------------------------------------------------------------------------------

# What comes and goes by itself, or shows what another entry shows already.
_NOISE = re.compile(
    r"/proc/(?:\d+|self|thread-self|kcore|kmsg)(?:/|$)|/proc/irq/|/proc/sys/kernel/ns_last_pid"
    r"|/sys/kernel/(?:tracing|debug/tracing|irq)(?:/|$)|/sys/dev/|/sys/kernel/debug/(?:slab|kprobes)(?:/|$)"
    r"|/dev/(?:pts|shm|fd)(?:/|$)|/sys/kernel/slab/:|/sys/devices/virtual/vc/|/dev/vcs"
)

_PLACES: tuple[tuple[str, str, str], ...] = (
    (r"/proc/sys/.*", "sysctl", "the setting {} is still there: unregister_sysctl_table() was not called"),
    (r"/proc/.*", "proc entry", "{} is still there: proc_remove() or remove_proc_entry() was not called"),
    (r"/sys/kernel/debug/.*", "debugfs entry", "{} is still there: debugfs_remove() was not called"),
    (r"/sys/kernel/slab/.*", "slab cache", "the slab cache {name} is still there: kmem_cache_destroy() was not called"),
    (r"/sys/module/[^/]+", "module", "{} is still there: the module {name} is still loaded"),
    (r"/sys/class/[^/]+", "class", "the class {name} is still there: class_destroy() was not called"),
    (r"/sys/class/.*", "device", "the device {name} is still there: device_destroy() was not called"),
    (r"/sys/bus/[^/]+", "bus", "the bus {name} is still there: bus_unregister() was not called"),
    (
        r"/sys/bus/[^/]+/drivers/[^/]+",
        "driver",
        "the driver {name} is still there: its …_unregister_driver() was not called",
    ),
    (
        r"/sys/(?:devices|block|bus)/.*",
        "device",
        "the device {name} is still there: device_unregister() was not called",
    ),
    (r"/sys/.*", "sysfs entry", "{} is still there: kobject_put() or sysfs_remove_…() was not called"),
    (r"/dev/.*", "device node", "{} is still there: device_destroy() or misc_deregister() was not called"),
)


def _is_noise(path: str) -> bool:
    return bool(_NOISE.match(path))


def _new_paths(before: frozenset[str], after: frozenset[str]) -> Iterator[str]:
    """Yield the topmost of the paths that are new, and below /sys/devices the topmost that are devices."""
    new = after - before
    # A folder with uevent in it is a device; the folder of a class in /sys/devices/virtual is none.
    devices = {
        path.removesuffix("/uevent") for path in new if path.startswith("/sys/devices/") and path.endswith("/uevent")
    }
    for path in sorted(new):
        among = devices if path.startswith("/sys/devices/virtual/") and devices else new
        if path in among and not any(str(parent) in among for parent in PurePosixPath(path).parents):
            yield path


def _path_leftovers(before: frozenset[str], after: frozenset[str]) -> Iterator[Leftover]:
    new = list(_new_paths(before, after))
    devices = {PurePosixPath(path).name for path in new if path.startswith("/sys/devices/")}
    for path in new:
        name = PurePosixPath(path).name
        # /sys/class/CLASS/NAME and the like are links to the device.
        link = re.match(r"/sys/(?:class/[^/]+/|bus/[^/]+/devices/|block/)", path)
        if not (link and name in devices):
            yield _path_leftover(path, name)


def _path_leftover(path: str, name: str) -> Leftover:
    for pattern, kind, sentence in _PLACES:
        if re.fullmatch(pattern, path):
            return Leftover(kind, path, sentence.format(path, name=name))
    return Leftover("file", path, f"{path} is still there")


# -- Lists ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _List:
    """One of the kernel's lists: its file, what its names are, and what to say of one that is left."""

    path: str
    parse: Callable[[str], Iterable[str]]
    sentence: str


def _first_words(skip: int = 0) -> Callable[[str], Iterator[str]]:
    def parse(text: str) -> Iterator[str]:
        for line in text.splitlines()[skip:]:
            words = line.split()
            if words:
                yield words[0].rstrip(":")

    return parse


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip())


def _devices(text: str) -> Iterator[str]:
    """``/proc/devices``: numbers and names under two headings."""
    kind = ""
    for line in text.splitlines():
        if line.endswith("devices:"):
            kind = line.split()[0].lower()
        elif line.strip():
            yield f"{kind} {' '.join(line.split())}"


def _last_words(text: str) -> Iterator[str]:
    return (line.split()[-1] for line in text.splitlines() if line.strip())


def _packet_types(text: str) -> Iterator[str]:
    return (" ".join(line.split()) for line in text.splitlines()[1:] if line.strip())


def _interrupts(text: str) -> Iterator[str]:
    """``/proc/interrupts``: number and each handler; the counts come and go."""
    for line in text.splitlines()[1:]:
        number, _, rest = line.partition(":")
        if number.strip().isdigit():
            for name in re.split(r"\s{2,}", rest.strip())[-1].split(", "):
                yield f"{number.strip()} {name}"


def _dangling_timers(text: str) -> Iterator[str]:
    """``/proc/timer_list``: functions that are no function of the kernel's own: in a module, or in one that is gone."""
    for found in re.finditer(r"^\s*#\d+: <[^>]*>, (?P<function>[^,]+), S:", text, re.M):
        function = found["function"].strip()
        if function.startswith("0x") or "[" in function:
            yield function


def _mounts(text: str) -> Iterator[str]:
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and words[2] != "tracefs":  # mounted by itself when somebody looks below debugfs
            yield f"{words[1]} ({words[2]})"


def _named(text: str) -> Iterator[str]:
    return (match[1].strip() for match in re.finditer(r"^(?:name|N: Name)\s*[:=]\s*\"?([^\"\n]*)\"?$", text, re.M))


def _kprobes(text: str) -> Iterator[str]:
    return (line.split()[2] for line in text.splitlines() if len(line.split()) >= 3)


# kworker/R-NAME is the rescuer of one workqueue, since 6.8.
_POOL = re.compile(r"kworker/(?!R-)")


def _kthread(stat: str) -> Iterator[str]:
    """A kernel thread's ``/proc/N/stat`` → its name and number; the kernel's pool of workers comes and goes."""
    found = re.match(r"(\d+) \((.*)\) \S (?:\S+ ){5}(\d+) ", stat, re.S)
    if found and int(found[3]) & 0x0020_0000 and not _POOL.match(found[2]):
        yield f"{found[2]} ({found[1]})"


LISTS: Mapping[str, _List] = {
    "device number": _List(
        "/proc/devices",
        _devices,
        "the device number {} is still taken: unregister_chrdev_region() or unregister_blkdev() was not called",
    ),
    "misc device": _List(
        "/proc/misc", _last_words, "the misc device {} is still there: misc_deregister() was not called"
    ),
    "filesystem": _List(
        "/proc/filesystems",
        _last_words,
        "the filesystem {} is still registered: unregister_filesystem() was not called",
    ),
    "mount": _List("/proc/mounts", _mounts, "{} is still mounted"),
    "network device": _List(
        "/proc/net/dev", _first_words(2), "the network device {} is still there: unregister_netdev() was not called"
    ),
    "network protocol": _List(
        "/proc/net/protocols", _first_words(1), "the protocol {} is still registered: proto_unregister() was not called"
    ),
    "packet type": _List(
        "/proc/net/ptype", _packet_types, "the packet handler {} is still there: dev_remove_pack() was not called"
    ),
    "interrupt": _List("/proc/interrupts", _interrupts, "the interrupt {} is still taken: free_irq() was not called"),
    "timer": _List(
        "/proc/timer_list",
        _dangling_timers,
        "a timer will still call {}, which is gone: hrtimer_cancel() was not called",
    ),
    "I/O memory": _List(
        "/proc/iomem", _lines, "the memory region {} is still taken: release_mem_region() was not called"
    ),
    "I/O port": _List("/proc/ioports", _lines, "the ports {} are still taken: release_region() was not called"),
    "slab cache": _List(
        "/proc/slabinfo", _first_words(2), "the slab cache {} is still there: kmem_cache_destroy() was not called"
    ),
    "line discipline": _List(
        "/proc/tty/ldiscs",
        _first_words(),
        "the line discipline {} is still registered: tty_unregister_ldisc() was not called",
    ),
    "tty driver": _List(
        "/proc/tty/drivers",
        _first_words(),
        "the tty driver {} is still registered: tty_unregister_driver() was not called",
    ),
    "console": _List(
        "/proc/consoles", _first_words(), "the console {} is still registered: unregister_console() was not called"
    ),
    "input device": _List(
        "/proc/bus/input/devices",
        _named,
        "the input device {} is still there: input_unregister_device() was not called",
    ),
    "algorithm": _List(
        "/proc/crypto", _named, "the algorithm {} is still registered: crypto_unregister_…() was not called"
    ),
    "kprobe": _List(
        "/sys/kernel/debug/kprobes/list", _kprobes, "the probe at {} is still set: unregister_kprobe() was not called"
    ),
}
_THREAD = "the kernel thread {} still runs: kthread_stop() or destroy_workqueue() was not called"


def find_leftovers(before: Surroundings, after: Surroundings) -> Rows[Leftover]:
    """Return what is there afterwards and was not before."""
    # A network device has settings and files of its own everywhere: one line tells it all.
    networks = after.lists.get("network device", frozenset()) - before.lists.get("network device", frozenset())
    paths = _path_leftovers(before.paths, after.paths)
    found = [one for one in paths if PurePosixPath(one.name).name not in networks]
    slabs = {PurePosixPath(one.name).name for one in found if one.kind == "slab cache"}
    sentences = {**{kind: one.sentence for kind, one in LISTS.items()}, "kthread": _THREAD}
    for kind, sentence in sentences.items():
        for name in sorted(after.lists.get(kind, frozenset()) - before.lists.get(kind, frozenset())):
            if not (kind == "slab cache" and name in slabs):
                found.append(Leftover(kind, name, sentence.format(name)))
    for path in sorted(after.faulty - before.faulty):
        words = (
            f"{path} can no longer be read without a fault: something in it lies in the memory of the unloaded module"
        )
        found.append(Leftover("dangling entry", path, words))
    return Rows(found, caption="Left behind", columns=Leftover.COLUMNS)
