# SPDX-License-Identifier: MIT
"""Checks of the exercise ``greetfs``: mounts with good and bad options, and the memory that they leave."""

from __future__ import annotations

import random

from kmodlab.course import Trial, check

MOST = 9

HINTS = {
    "times": (
        "The file greeting does not say hello as often as the option times= asks for.",
        "Keep result.uint_32 in the mount's info, once you know that the number is allowed.",
    ),
    "limit": (
        "Which numbers are allowed? Try the two at the limits, and the two just outside.",
        "result.uint_32 < 1 || result.uint_32 > MOST is what must be refused, with -EINVAL.",
    ),
    "errno": (
        "The task asks for EINVAL: this argument makes no sense. In the kernel errors are negative.",
        "return -EINVAL, with the minus sign.",
    ),
    "shared": (
        "Two mounts at once got the same number. Where do you keep it?",
        "A static variable is there once for all mounts; fc->s_fs_info belongs to this one.",
    ),
    "shown": (
        "/proc/mounts asks greetfs_show_options() for the options of each mount.",
        'seq_printf(seq, ",times=%u", info->times), with the comma and nothing else.',
    ),
    "leak": (
        "After umount the memory of the mount was still taken.",
        "The super block has taken info over: kfree(info) in greetfs_kill_sb(), as its last deed.",
    ),
    "error-leak": (
        "A mount that was refused left its memory behind: there never was a super block to take it over.",
        "kfree(fc->s_fs_info) in greetfs_free_context().",
    ),
    "oops": (
        "Memory was used after it had been given back, or was given back twice.",
        "A mount's info has one owner at a time: first the context, then the super block.",
    ),
}


def mount(trial: Trial, option: str, place: str) -> str:
    """Mount it with an option, and return what ``mount`` complains of, if it does."""
    done = trial.run(f"mkdir -p {place}; mount -t greetfs {option} none {place}")
    return done.stderr.strip() or f"status {done.exit_status}" if done.exit_status else ""


def said(trial: Trial, place: str) -> int:
    """How often the file says hello; -1 if it says anything else."""
    lines = trial.run(f"cat {place}/greeting").stdout.splitlines()
    return len(lines) if set(lines) <= {"hello"} else -1


@check(points=2, passed="each mount says hello as often as its own option asks for")
def greets(trial: Trial) -> None:
    """Without the option, with it, at its limits, and three at once."""
    trial.load()
    mount(trial, "", "/mnt/plain")
    trial.expect(
        said(trial, "/mnt/plain") == 1, "times", f"without an option it says {said(trial, '/mnt/plain')} hellos"
    )
    for times in (1, MOST):
        refused = mount(trial, f"-o times={times}", f"/mnt/{times}")
        trial.expect(not refused, "limit", f"times={times} was refused: {refused}")
    few, many = sorted(random.sample(range(2, MOST), 2))
    mount(trial, f"-o times={few}", "/mnt/few")
    trial.expect(said(trial, "/mnt/few") == few, "times", f"with times={few} it says {said(trial, '/mnt/few')} hellos")
    mount(trial, f"-o times={many}", "/mnt/many")
    again = said(trial, "/mnt/few")
    trial.expect(again == few, "shared", f"mounted with times={few}, it says {again} since another has times={many}")
    trial.expect(said(trial, "/mnt/many") == many, "times", f"with times={many} it says {said(trial, '/mnt/many')}")
    trial.run("umount /mnt/*")


@check(points=2, passed="a number that is not allowed is refused, and so is nonsense")
def refuses(trial: Trial) -> None:
    """What must not be mounted; before that, that anything can."""
    trial.load()
    trial.expect(not mount(trial, "-o times=2", "/mnt/good"), "times", "times=2 was refused")
    trial.expect(said(trial, "/mnt/good") == 2, "times", f"with times=2 it says {said(trial, '/mnt/good')} hellos")
    for value in (0, MOST + 1, random.randrange(MOST + 2, 1 << 31)):
        refused = mount(trial, f"-o times={value}", "/mnt/bad")
        trial.expect(refused, "limit", f"times={value} was accepted")
        trial.expect("wrong fs type, bad option" in refused, "errno", f"times={value} was refused so: {refused}")
    for option in ("times=many", "tims=2"):
        trial.expect(mount(trial, f"-o {option}", "/mnt/bad"), "limit", f"{option} was accepted")
    trial.run("umount /mnt/good")


@check(points=2, passed="/proc/mounts shows the option")
def shows(trial: Trial) -> None:
    """Of two mounts."""
    trial.load()
    for times in random.sample(range(2, MOST), 2):
        mount(trial, f"-o times={times}", f"/mnt/{times}")
        options = trial.run(f"grep ' /mnt/{times} ' /proc/mounts").stdout.split()[3:4]
        wanted = f"times={times}"
        trial.expect(
            options and wanted in options[0].split(","), "shown", f"mounted with {wanted}, /proc/mounts has {options}"
        )
    trial.run("umount /mnt/*")


@check(points=2, passed="no memory is left, neither of a mount nor of one that was refused")
def leaves_nothing(trial: Trial) -> None:
    """The ledger is kept while it is mounted, and then while a mount is refused."""
    with trial.no_leak():
        trial.load()
        for option, place in (("-o times=3", "/mnt/a"), ("", "/mnt/b")):
            refused = mount(trial, option, place)
            trial.expect(not refused and said(trial, place) > 0, "times", f"mounted with {option!r}: {refused}")
        trial.run("umount /mnt/a /mnt/b")
        trial.unload()
    with trial.no_leak("error-leak"):
        trial.load()
        for option in ("times=many", "tims=2"):
            refused = mount(trial, f"-o {option}", "/mnt/a")
            trial.expect(refused, "limit", f"{option} was accepted")
        trial.unload()
