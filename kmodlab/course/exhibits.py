# SPDX-License-Identifier: MIT
"""What the gallery shows: questions, and the lines that answer each with a picture of a running machine."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BEGIN", "ROOMS", "Exhibit"]

BEGIN = """\
import kmodlab
from kmodlab import plot
from kmodlab.machine.ledger import watch
from kmodlab.machine.lives import LifeTrace
from kmodlab.resources import resource

vm = kmodlab.Machine().start()
lab = resource("lab_modules")
"""
"""What is run before the first exhibit."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One picture.

    Attributes:
        name: of its place on the page.
        question: that it answers.
        prepare: lines of Python that are run once, in the machine that all exhibits share.
        draw: the expression whose value is the picture; run for each theme.
        words: how to read it.
    """

    name: str
    question: str
    prepare: str
    draw: str
    words: str


_MEMORY = (
    Exhibit(
        "memory",
        "What does a module keep in memory?",
        """\
for name in ("scribble", "notefs", "fat_init"):
    vm.insmod(kmodlab.build(lab / name, vm.kernel))
held = vm.memory()""",
        'plot.memory(held, modules=["scribble", "notefs", "fat_init"])',
        "A bar is what the kernel gave to a module, in whole pages, by what lies in it. Hatched behind it stands what "
        "only its init needed: the kernel has taken that back.",
    ),
    Exhibit(
        "module-tree",
        "How much of all there is do I use?",
        """\
files = vm.check(r"find /lib/modules/$(uname -r) -name '*.ko*' -printf '%s %P\\n'").stdout
loaded = vm.lsmod()""",
        "plot.module_tree(files, loaded)",
        "Files of the distribution's modules on disk, by folder. The blue parts are those of modules that are loaded "
        "now: a kernel that knows thousands of devices runs with a few modules.",
    ),
    Exhibit(
        "address-space",
        "Where does my module lie?",
        "space = vm.address_space()",
        'plot.address_space(space, "scribble")',
        "Each bar shows a part of the one above it, enlarged. Modules have an area of their own beside the kernel's "
        "code, since a call instruction carries a distance of 32 bits.",
    ),
    Exhibit(
        "allocations",
        "Which line of mine holds the memory?",
        """\
dripper = kmodlab.build(lab / "dripper", vm.kernel)
with watch(vm, dripper) as watched:
    for cycle in range(4):
        vm.insmod(dripper)
        vm.rmmod("dripper")
leak = watched.ledger""",
        "plot.allocations(leak)",
        "Four times the module is loaded and unloaded. What one line allocates is given back each time; what the "
        "other allocates stays, so that each step stands on the one before. Nobody had to change the module.",
    ),
    Exhibit(
        "held",
        "Is my leak mended?",
        """\
(mended,) = dripper.others
with watch(vm, dripper, mended) as watched:
    for cycle in range(4):
        vm.insmod(mended)
        vm.rmmod("dripper_mended")""",
        'plot.held({"dripper": leak, "dripper_mended": watched.ledger})',
        "The same four loads, before and after the bug was mended, on one scale: teeth that begin at zero each time "
        "are what it should look like.",
    ),
    Exhibit(
        "allocation-costs",
        "What does an object really take?",
        """\
vm.insmod(kmodlab.build(lab / "larder", vm.kernel))
costs = vm.check('''cd /sys/module/larder/parameters
used() { cat /proc/sys/vm/stat_refresh; awk '/^(Slab|VmallocU)/ {n += $2} END {print n}' /proc/meminfo; }
for how in kmalloc cache vmalloc; do for size in 30 140 300 600 1100 2000 4000; do
  echo $how > how; echo $size > size; old=$(used); echo 4000 > count; new=$(used)
  echo $how $size $(((new - old) * 1024 / 4000)) $(cat ns); echo 0 > count
done; done''', timeout=60).stdout
vm.rmmod("larder")""",
        "plot.allocation_costs(costs)",
        "Four thousand objects of each size from each allocator, and by how much the kernel's memory in use grew. "
        "What lies above the dotted line is lost to rounding; a figure below it is no magic: the first objects found "
        "room in pages that had been taken before.",
    ),
)

_DEPENDENCIES = (
    Exhibit(
        "dependencies",
        "Who leans on whom, and by what?",
        """\
exporter = kmodlab.build(lab / "exporter", vm.kernel)
vm.insmod(exporter)
vm.insmod(exporter.others[0])
pair = vm.dependencies("exporter")""",
        "plot.dependencies(pair)",
        "Who needs something stands above what it needs. On the arrow are the symbols; the refcount says how many "
        "hold a module, and while it is not 0 the module cannot go.",
    ),
    Exhibit(
        "modprobe",
        "What did this modprobe bring?",
        """\
before, slab = vm.dependencies(), vm.memory()
vm.modprobe("btrfs")
after = vm.dependencies()""",
        "plot.dependencies(after, before=before)",
        "One name was asked for. Solid arrows are symbols that must be there; dashed ones are modules that it only "
        "asks to have loaded too.",
    ),
    Exhibit(
        "modprobe-memory",
        "And what did it cost?",
        "grown = vm.memory()",
        "plot.memory(grown, before=slab)",
        "Above, the modules that came with btrfs; below, what the kernel's allocators hold before and after. A module "
        "costs more than its own pages.",
    ),
    Exhibit(
        "many-modules",
        "And with many modules?",
        """\
for name in ("nf_tables", "xt_nat", "snd_hda_intel", "cifs"):
    vm.modprobe(name)
many = vm.dependencies().connected()""",
        "plot.dependencies(many)",
        "File systems, firewall and sound at once. What everybody leans on sinks to the bottom; where there "
        "is no room for symbols, their number stands on the arrow.",
    ),
    Exhibit(
        "foundations",
        "What does everything lean on?",
        'tree = vm.check("cat /lib/modules/$(uname -r)/modules.dep").stdout',
        "plot.foundations(tree)",
        "Every module of the distribution is a dot, above all those that it needs. The longest chain is as high as the "
        "tower; the modules on which most others lean are numbered and stand below.",
    ),
)

_LIFE = (
    Exhibit(
        "lives",
        "When does a module live, and who uses it?",
        """\
hello = kmodlab.build(lab / "hello", vm.kernel)
vm.rmmod("importer"); vm.rmmod("exporter"); vm.rmmod("scribble")
traced = LifeTrace(vm)
vm.insmod(hello); vm.insmod(kmodlab.build(lab / "scribble", vm.kernel)); vm.insmod(exporter)
vm.run("exec 3< /dev/scribble; sleep 0.3; exec 4< /dev/scribble; sleep 0.3; exec 3<&-; sleep 0.2")
vm.rmmod("hello"); vm.insmod(exporter.others[0]); vm.run("sleep 0.2")
vm.rmmod("importer"); vm.rmmod("exporter"); vm.insmod(hello)
lives, now = traced.lives, traced.uptime""",
        "plot.lives(lives, now, since=traced.since)",
        "From the kernel's own trace, on its own clock. Orange is the refcount: an open file counts twice here, once "
        "for the device and once for its operations. Below, what each coming and going took.",
    ),
)

_INSIDE = (
    Exhibit(
        "anatomy",
        "What is in the file that I built?",
        'scribble = kmodlab.build(lab / "scribble", vm.kernel)\nparts = vm.anatomy(scribble)',
        "plot.anatomy(parts)",
        "Most of the file is for debuggers and never comes into the kernel. What does is cut into sections; and its "
        "code has holes, which the loader fills with the addresses below.",
    ),
    Exhibit(
        "functions",
        "Where does the time go?",
        """\
vm.check("mkdir -p /mnt/notes")
busy = vm.functions("notefs", '''mount -t notefs none /mnt/notes; cd /mnt/notes
mkdir -p letters/old; echo "dear diary," > letters/old/first; ln letters/old/first todo
for i in 1 2 3 4 5 6 7 8; do head -c 20000 /dev/urandom > poem$i; wc -c < poem$i; done
rm poem1 poem2; ls -lR > /dev/null''')""",
        "plot.functions(busy)",
        "The kernel's tracer stood at the door of every function of the module while a few files were written and "
        "read. An emulated processor and the tracer itself make it slow: compare the bars with each other.",
    ),
    Exhibit(
        "calls",
        "Who calls whom?",
        """\
work = vm.functions("scribble", '''for i in 1 2 3 4 5 6 7 8; do
echo line $i >> /dev/scribble; cat /dev/scribble > /dev/null; done
echo again > /dev/scribble; dd if=/dev/scribble of=/dev/null bs=1; tail -c 3 /dev/scribble''')""",
        "plot.calls(work)",
        "Nobody calls a driver but the kernel, through the functions that it registered. What these share is called by "
        "them alone.",
    ),
    Exhibit(
        "file-system-calls",
        "And in a file system?",
        "",
        "plot.calls(busy)",
        "The same of the notes above: many doors, and behind some of them a chain.",
    ),
    Exhibit(
        "latencies",
        "Is a call always as fast?",
        "",
        "plot.latencies(work)",
        "The first call of a function is the slow one: its code is not in the cache yet, and an emulator must "
        "translate it first. A mean would hide that; hence the median, and each call in its place.",
    ),
)

_USE = (
    Exhibit(
        "counters",
        "What does the kernel do while I wait?",
        """\
rows = [[float(word) for word in line.split()] for line in vm.check('''count() {
read up idle < /proc/uptime; echo $up $(awk '/^(intr|ctxt|processes) / {print $2}' /proc/stat); }
for i in 1 2 3 4; do count; for j in 1 2 3 4 5; do cat /dev/scribble > /dev/null; done; done
count; sleep 0.4; count; sleep 0.4
for i in 1 2 3 4; do count; for j in 1 2 3 4 5; do cat /dev/scribble > /dev/null; done; done
count''').stdout.splitlines()]
names = ("seconds", "interrupts", "context switches", "new processes")
samples = [{name: now - first for name, now, first in zip(names, row, rows[0])} for row in rows]
found = "In the pause the kernel is hardly asked for anything\"""",
        'plot.counters(samples, "seconds since the first look", "counted since the first look", title=found)',
        "Any counter of the kernel, read again and again; here those of /proc/stat, while one cat after the other "
        "reads the device, with a pause in the middle.",
    ),
    Exhibit(
        "rates",
        "What does a larger block bring?",
        """\
vm.rmmod("scribble")
vm.insmod(scribble, size=1 << 20)
lines = vm.check('''dd if=/dev/zero of=/dev/scribble bs=1M count=1 2>/dev/null
for size in 16 64 256 1024 4096 16384; do for round in 1 2 3; do
LC_ALL=C dd if=/dev/scribble of=/dev/null bs=$size count=300 2>&1 |
awk -v size=$size '/copied/ {print size, $1 / $(NF - 3)}'; done; done''').stdout.splitlines()
best = {}
for size, speed in map(str.split, lines):
    best[int(size)] = max(float(speed), best.get(int(size), 0))""",
        'plot.rates({"read()": best})',
        "Every read is a way into the kernel and back, and that costs the same for one byte as for many.",
    ),
    Exhibit(
        "names",
        "What is a name, and what is a file?",
        r"""listing = vm.check(r"find /mnt/notes -printf '%i %y %n %s /%P\n'").stdout""",
        "plot.names(listing)",
        "A directory holds names; the file is what they lead to. Two names of one file share its inode.",
    ),
    Exhibit(
        "ioctl-number",
        "What does an ioctl's number say?",
        "number = 0x8004B701  # SCRIBBLE_GET_LENGTH in scribble_ioctl.h",
        'plot.ioctl_number(number, "SCRIBBLE_GET_LENGTH")',
        "Four things in 32 bits: which way the argument goes, how large it is, whose command it is and which one.",
    ),
)

ROOMS: tuple[tuple[str, tuple[Exhibit, ...]], ...] = (
    ("Memory", _MEMORY),
    ("Dependencies", _DEPENDENCIES),
    ("Life", _LIFE),
    ("Inside a module", _INSIDE),
    ("In use", _USE),
)
"""The exhibits, by what they are about."""
