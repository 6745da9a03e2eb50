# SPDX-License-Identifier: MIT
"""Checks of the exercise ``onefile``: mounts, the file in them, and what is left when all is over."""

from __future__ import annotations

from kmodlab.course import Trial, check

MOUNT = "mount -i -t onefile none"

HINTS = {
    "mount": (
        "mount failed with the error that your onefile_fill() returned.",
        "simple_fill_super() makes root and file out of the table; return what it returns.",
    ),
    "magic": ("stat -f shows the magic number of a filesystem: the task names which it is.",),
    "count": ("Each mount has to be counted: once, and in onefile_fill().", "atomic_inc(&mounts);"),
    "owner": (
        "The module could be unloaded while its filesystem was mounted: the next use runs code that is gone.",
        ".owner = THIS_MODULE in the file_system_type lets each mount hold the module.",
    ),
    "busy": (
        "After umount something still held on to the module or to the file.",
        "simple_fill_super() makes dentries that stay until kill_anon_super() drops them.",
    ),
    "number": (
        "stat -c %d /mnt shows a number that each mount takes. What you did not give back, the next cannot have.",
        "get_tree_nodev() took it; kill_anon_super() gives it back.",
    ),
    "registered": (
        "The module is gone, but /proc/filesystems still knows its name.",
        "What register_filesystem() did, the exit function must undo with unregister_filesystem().",
    ),
    "warned": (
        "The kernel complained at umount that something was still in use.",
        "Only kill_anon_super() drops the dentries that simple_fill_super() made.",
    ),
    "oops": (
        "Code or data of the module was used after it was gone, or the kernel found a dentry still in use at umount.",
        "Look at .owner, at .kill_sb, and at what the exit function must undo.",
    ),
}


def mount(trial: Trial, place: str = "/mnt") -> None:
    """Mount it at a place."""
    done = trial.run(f"mkdir -p {place}; {MOUNT} {place}")
    trial.expect(done.exit_status == 0, "mount", done.stderr.partition("\n")[0] or "mount failed without a word")


@check(points=2, passed="it can be mounted and holds the file, which counts the mounts")
def mounts_and_counts(trial: Trial) -> None:
    """Two mounts at once, then a third."""
    trial.load()
    for number in (1, 2, 3):
        mount(trial, f"/mnt/{number}" if number < 3 else "/mnt/1")
        place = f"/mnt/{number}" if number < 3 else "/mnt/1"
        listed = trial.run(f"ls -A {place}").stdout.split()
        trial.expect(listed == ["mounts"], "mount", f"the mount holds {listed or 'nothing'}, not the file mounts")
        said = trial.run(f"cat {place}/mounts").stdout.strip()
        trial.expect(said == str(number), "count", f"after {number} mounts the file says {said!r}")
        magic = trial.run(f"stat -f -c %t {place}").stdout.strip()
        trial.expect(magic == "31464c45", "magic", f"stat -f says that the magic number is {magic}")
    trial.run("umount /mnt/1; umount /mnt/1; umount /mnt/2")


@check(points=2, passed="the module stays as long as it is mounted")
def stays_while_mounted(trial: Trial) -> None:
    """Try to take the module away while it is mounted."""
    trial.load()
    mount(trial)
    gone = trial.run("rmmod onefile").exit_status == 0
    trial.expect(not gone, "owner", "rmmod took the module away although its filesystem was mounted")
    said = trial.run("cat /mnt/mounts").stdout
    trial.expect(said == "1\n", "count", f"the file says {said!r}")
    trial.run("umount /mnt")


@check(points=2, passed="after umount and rmmod nothing of it is left")
def leaves_nothing(trial: Trial) -> None:
    """Twice all of it; the second mount must find free what the first one took."""
    numbers = []
    for _ in range(2):
        trial.load()
        mount(trial)
        numbers.append(trial.run("stat -c %d /mnt").stdout.strip())
        done = trial.run("umount /mnt")
        trial.expect(done.exit_status == 0, "busy", f"umount: {done.stderr.strip()}")
        held = trial.run("rmmod onefile")
        trial.expect(held.exit_status == 0, "busy", f"after umount: {held.stderr.strip()}")
        known = trial.run("grep -w onefile /proc/filesystems").stdout
        trial.expect(not known, "registered", "after rmmod /proc/filesystems still lists onefile")
    first, second = numbers
    trial.expect(first == second, "number", f"the first mount had the device number {first}, the second {second}")
