# SPDX-License-Identifier: MIT
"""What each magic takes, in one place: its help, its completion and the reading of its line all come from here."""

from __future__ import annotations

from kmodlab.jupyter.arguments import Options
from kmodlab.records.kmsg import SEVERITIES

__all__ = ["ALL", "VM_ACTIONS", "severity"]

VM_ACTIONS = ("status", "reset", "pause", "resume", "kernel", "log", "panel", "stop")

_SHORT = {"emerg": "emergency", "crit": "critical", "err": "error", "warn": "warning"}
_EXPECT = "show the error that comes instead of failing; fail if none comes"


def severity(word: str) -> str:
    """Return the full name of a log level; those of the command ``dmesg`` are known too."""
    return _SHORT.get(word, word)


def _kmod() -> Options:
    options = Options(
        "%%kmod",
        "Build the C below into a kernel module; with --load also load it into the notebook's machine.\n"
        "A module of that name that an earlier run has loaded is unloaded first.",
        "  %%kmod hello --load whom=you\n  #include <linux/module.h>\n  ...",
    )
    options.words("words", "the module's name, and with --load its parameters", metavar="NAME [PARAMETER=VALUE]")
    options.option("-l", "--load", action="store_true", help="load it and show what the kernel logs meanwhile")
    options.option("-e", "--expect-error", action="store_true", help=_EXPECT)
    options.option("-k", "--kernel", metavar="RELEASE", help="build it for this kernel instead of the machine's own")
    options.option("--history", action="store_true", help="list the versions of this module that were built")
    options.option("--restore", type=int, metavar="N", help="bring version N back into the cell, or into a new one")
    return options


def _insmod() -> Options:
    options = Options(
        "%insmod",
        "Load a module: one built in this notebook, one that comes with kmodlab, or one at a path (a .ko, a .c file\n"
        "or a folder, built first if it is source). Returns its row of /proc/modules, with the log lines in .log.",
        "  %insmod hello whom=you times=3\n  row = %insmod ./mine/mine.c",
    )
    options.words("words", "the module, then its parameters", metavar="NAME|PATH [PARAMETER=VALUE]")
    options.option("-e", "--expect-error", action="store_true", help=_EXPECT)
    return options


def _rmmod() -> Options:
    options = Options("%rmmod", "Unload modules, in the given order.", "  %rmmod importer exporter")
    options.words("words", "the modules", metavar="NAME")
    options.option("-e", "--expect-error", action="store_true", help=_EXPECT)
    return options


def _modprobe() -> Options:
    options = Options(
        "%modprobe",
        "Load a module of the distribution's tree together with all that it needs; with -r unload it, and what only\n"
        "it needed.",
        "  %modprobe btrfs\n  %modprobe -r btrfs",
    )
    options.words("words", "the module, then its parameters", metavar="NAME [PARAMETER=VALUE]")
    options.option("-r", "--remove", action="store_true", help="unload instead of load")
    options.option("-e", "--expect-error", action="store_true", help=_EXPECT)
    return options


def _lsmod() -> Options:
    options = Options(
        "%lsmod", "List the loaded modules, newest first: all, or these.", "  %lsmod\n  rows = %lsmod hello"
    )
    options.words("words", "only these", metavar="NAME")
    return options


def _modinfo() -> Options:
    options = Options(
        "%modinfo",
        "Show what a module's file says of itself: of one that %insmod would find, or else of the distribution's tree.",
        "  %modinfo hello\n  %modinfo -p btrfs",
    )
    options.words("words", "the module", metavar="NAME|PATH")
    options.option("-p", "--parameters", action="store_true", help="only its parameters")
    return options


def _dmesg() -> Options:
    options = Options(
        "%dmesg",
        "Show the kernel's log since the machine is yours; of a lost machine too, up to its last line.",
        "  %dmesg\n  bad = %dmesg --level warning\n  %dmesg --new",
    )
    options.option("-n", "--lines", type=int, metavar="N", help="only the last N lines")
    options.option("-l", "--level", choices=SEVERITIES, type=severity, metavar="LEVEL", help="only lines of this level "
                   f"or a worse one: {', '.join(SEVERITIES)}")  # fmt: skip
    options.option("-w", "--new", action="store_true", help="only what came since the last %%dmesg")
    options.option("-b", "--boot", "--all", action="store_true", help="with the lines of the boot in front")
    return options


def _guest() -> Options:
    options = Options(
        "%%guest",
        "Run shell lines in the machine, in one bash; the cell fails if the last line fails. The lines reach bash as\n"
        "they stand: $NAME is a variable of that shell. %guest LINE runs one line and returns its result.",
        "  %%guest --timeout 10\n  cd /sys/module\n  ls | head -3\n\n  result = %guest uname -r",
    )
    options.option("-t", "--timeout", type=float, metavar="SECONDS", help="kill it after so many seconds")
    options.option("-e", "--expect-error", action="store_true", help=_EXPECT)
    options.option("-o", "--out", metavar="VARIABLE", help="keep the result in this Python variable as well")
    return options


def _program() -> Options:
    options = Options(
        "%%program",
        "Compile the C below into an ordinary program (not a module) and put it into the machine, as /root/NAME,\n"
        "where the lines of %%guest begin. It is linked statically, with musl.",
        '  %%program greet\n  #include <stdio.h>\n  int main(void) { puts("hello"); }\n\n  %guest ./greet',
    )
    options.words("words", "the program's name", metavar="NAME")
    options.option("-H", "--headers", metavar="MODULE", help="let it include the header files of this lab module")
    options.option("-e", "--expect-error", action="store_true", help=_EXPECT)
    return options


def _vm() -> Options:
    options = Options(
        "%vm",
        "Say how the notebook's machine is, or change it:\n"
        "  status          what it is (also without a word)\n"
        "  reset           replace it by a fresh one, in about a quarter of a second\n"
        "  pause, resume   stop and go on\n"
        "  kernel RELEASE  replace it by one that runs another kernel\n"
        "  log             all its kernel has logged, the boot included\n"
        "  panel           show it live: state, modules, log, memory, a command line and a terminal\n"
        "  stop            end it; the next magic makes a new one",
        "  %vm reset",
    )
    options.words("words", "what to do", metavar="ACTION")
    return options


def _hint() -> Options:
    options = Options(
        "%hint",
        "Show the next hint for what failed in the last check of an exercise.",
        '  check("bounded")\n  %hint',
    )
    options.words("words", "the exercise; the one checked last if none is named", metavar="EXERCISE")
    return options


def _ksource() -> Options:
    options = Options(
        "%ksource",
        "Show what the kernel's headers say of a name: its declaration or inline definition, with the place and the\n"
        "comment above it. With --definition, what its source says: that comes with the package linux-source-X.Y.",
        "  %ksource module_init\n  %ksource list_head\n  %ksource --definition register_chrdev_region",
    )
    options.words("words", "a function, macro, struct or constant", metavar="NAME")
    options.option("-d", "--definition", action="store_true", help="from the kernel's source instead of its headers")
    options.option("-a", "--all", action="store_true", help="every place that declares it, one below the other")
    return options


ALL = {
    "kmod": _kmod(),
    "insmod": _insmod(),
    "rmmod": _rmmod(),
    "modprobe": _modprobe(),
    "lsmod": _lsmod(),
    "modinfo": _modinfo(),
    "dmesg": _dmesg(),
    "guest": _guest(),
    "program": _program(),
    "vm": _vm(),
    "hint": _hint(),
    "ksource": _ksource(),
}
"""The magics by name."""
