# SPDX-License-Identifier: MIT
"""Checks of the exercise ``jotfs``: files written, read, filled up, and deleted while they are open."""

from __future__ import annotations

import random
import string

from kmodlab.course import Trial, check

MOST = 4096

HINTS = {
    "mount": ("It cannot be mounted any more. Compare what is around your lines with the skeleton.",),
    "content": (
        "What is read is not what was written.",
        "simple_read_from_buffer(buffer, count, pos, text, i_size_read(inode)) copies and moves *pos.",
    ),
    "position": (
        "A second read must go on where the first one ended.",
        "*pos says from where to read, and must be moved on by what was read.",
    ),
    "end": (
        "At the end of the file read() must return 0, or a program like cat never stops.",
        "The end is at i_size_read(inode), not at MOST.",
    ),
    "size": (
        "The file has grown, and ls does not show it.",
        "i_size_write(inode, *pos) after a write that ended behind the old size.",
    ),
    "shrunk": (
        "A write at the front of a file cut the rest of it off.",
        "Set the size only if *pos is now larger than i_size_read(inode).",
    ),
    "full": (
        "A file holds 4096 bytes. A write takes what fits; once nothing fits, it fails with ENOSPC.",
        "simple_write_to_buffer() returns 0 when nothing fits: look at *pos before you call it.",
    ),
    "early": (
        "A file was deleted while it was open, and its content was gone too early.",
        "The name goes with unlink; the inode stays for those who have it open. evict_inode is its end.",
    ),
    "leak": (
        "The memory of files that are gone was not given back.",
        "kfree(inode->i_private) in jotfs_evict_inode(), which is called for each inode, also at umount.",
    ),
    "oops": (
        "The kernel stopped. Was more copied than a file has room for, or freed too early, or twice?",
        "simple_write_to_buffer() keeps within MOST; jotfs_evict_inode() calls clear_inode(), then frees, once.",
    ),
}


def begin(trial: Trial) -> None:
    """Load and mount it, and make sure that what follows is about it and not about the folder below."""
    trial.load()
    done = trial.run("mount -t jotfs none /mnt")
    kind = trial.run("stat -f -c %t /mnt").stdout.strip()
    trial.expect(kind == "4a4f5453", "mount", f"mount -t jotfs: {done.stderr.strip() or f'its magic number is {kind}'}")


def word(length: int) -> str:
    """Some letters."""
    return "".join(random.choices(string.ascii_letters, k=length))


@check(points=3, passed="what was written can be read, in pieces and from anywhere, and ends where it should")
def reads_and_writes(trial: Trial) -> None:
    """Two files; one is read piece by piece, overwritten at its front, and appended to."""
    begin(trial)
    text, other = word(12), word(30)
    trial.run(f"printf {other} > /mnt/other; printf {text} > /mnt/file")
    size = trial.run("stat -c %s /mnt/file").stdout.strip()
    trial.expect(size == "12", "size", f"after 12 bytes were written, stat says that there are {size}")
    *_, first, second, third = trial.calls("open /mnt/file r", "read 5", "read 5", "read 5")
    trial.expect(first.data == text[:5].encode(), "content", f"{text!r} was written, {first.data!r} was read")
    trial.expect(
        second.data == text[5:10].encode(),
        "position",
        f"of {text!r}, 5 bytes each, the second read gave {second.data!r}",
    )
    trial.expect(
        third.data == text[10:].encode(), "end", f"of {text!r}, 5 bytes each, the third read gave {third.data!r}"
    )
    *_, end, seek, read = trial.calls("open /mnt/file r", "seek 12 set", "read 5", "seek 3 set", "read 100")
    trial.expect(end.result == 0, "end", f"read() at the end of the file: {end.errno or end.result}")
    trial.expect(
        seek.result == 3 and read.data == text[3:].encode(), "position", f"from 3 on {read.data!r} was read of {text!r}"
    )
    front, tail = word(4), word(6)
    trial.calls("open /mnt/file rw", f"write {front}")
    trial.run(f"printf {tail} >> /mnt/file")
    read = trial.calls("open /mnt/file r", "read 100")[1]
    trial.expect(
        len(read.data) >= 12, "shrunk", f"after 4 bytes were written at the front of 12, {read.data!r} is left"
    )
    wanted = (front + text[4:] + tail).encode()
    trial.expect(read.data == wanted, "content", f"{read.data!r} was read instead of {wanted!r}")
    read = trial.calls("open /mnt/other r", "read 100")[1]
    trial.expect(read.data == other.encode(), "content", f"the other file has {read.data!r} instead of {other!r}")
    trial.run("umount /mnt")


@check(points=2, passed="a file takes 4096 bytes and not one more")
def fills_up(trial: Trial) -> None:
    """Near the limit, at it, and a program that writes too much."""
    begin(trial)
    near = MOST - 6
    trial.run(": > /mnt/file")
    _, _, over, full, back, rest = trial.calls(
        "open /mnt/file rw", f"seek {near} set", "write ABCDEFGHIJ", "write K", f"seek {near} set", "read 100"
    )
    trial.expect(over.result == 6, "full", f"6 bytes fit, write() of 10 returned {over.errno or over.result}")
    trial.expect(full.errno == "ENOSPC", "full", f"write() into a full file: {full.errno or full.result}")
    trial.expect(rest.data == b"ABCDEF", "content", f"the last 6 bytes are {rest.data!r} instead of b'ABCDEF'")
    trial.expect(back.result == near, "position", f"seek {near}: {back.errno or back.result}")
    trial.run("rm /mnt/file; head -c 9000 /dev/zero > /mnt/file")
    size = trial.run("stat -c %s /mnt/file").stdout.strip()
    trial.expect(size == str(MOST), "full", f"9000 bytes were written, and the file has {size}")
    trial.run("umount /mnt")


@check(points=3, passed="a file that is deleted while open can still be read, and then all memory is given back")
def ends_in_time(trial: Trial) -> None:
    """On one processor: memory that was freed is what the next files get."""
    text = word(20)
    script = f"""
        printf {text} > /mnt/file; exec 3< /mnt/file; rm /mnt/file
        for i in $(seq 20); do printf 'something else entirely' > /mnt/$i; done
        cat <&3; exec 3<&-; rm /mnt/1?"""
    with trial.no_leak():
        begin(trial)
        said = trial.run(f"taskset -c 0 bash -c '{script.replace(chr(39), chr(34))}'").stdout
        trial.expect(said == text, "early", f"{text!r} was written, the file deleted while open, and {said!r} was read")
        trial.run("umount /mnt")
        trial.unload()
