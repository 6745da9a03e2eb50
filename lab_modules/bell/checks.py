# SPDX-License-Identifier: MIT
"""Checks of the exercise ``bell``: programs that wait, as ``/proc`` and those that ring see them."""

from __future__ import annotations

import random

from kmodlab.course import Trial, check

HINTS = {
    "count": ("A reader must get one byte for each ring, and no ring twice.", "take(count) says how many there are."),
    "asleep": (
        "With no ring there, read() returned at once; for the program that means: the end.",
        "wait_event_interruptible(rung, condition) sleeps until the condition is true.",
    ),
    "busy": (
        "The reader does not sleep: it uses the processor all the time.",
        "Do not ask in a loop: wait_event_interruptible() looks again whenever somebody wakes the queue.",
    ),
    "wake": (
        "It rang, and the reader sleeps on. Who tells it?",
        "bell_write() must call wake_up_interruptible(&rung), after the rings were counted.",
    ),
    "signal": (
        "The reader cannot be ended while it waits, not even by Ctrl-C.",
        "Use wait_event_interruptible(), and return -ERESTARTSYS if it does not return 0.",
    ),
    "nonblock": (
        "A file opened with O_NONBLOCK must be told that there is nothing now, and not be kept waiting.",
        "Before you sleep, look at file->f_flags: with O_NONBLOCK in it the answer is -EAGAIN.",
    ),
    "ready": (
        "poll() must say what read() could do without sleeping.",
        "Return EPOLLIN | EPOLLRDNORM if rings is not 0, else 0.",
    ),
    "poll-wait": (
        "A program slept in poll(), it rang, and the program slept on.",
        "poll_wait(file, &rung, table) comes first in bell_poll(): the kernel then knows which queue to wait on.",
    ),
}

WAITER = b"""
# waiter read|kill|poll: starts a program that waits for the bell, says what it does while there is no ring (asleep,
# ended, busy), and then, if it sleeps, what becomes of it when it rings, or when the program is killed.
place=bell_read
if [ $1 = poll ]; then
  place=do_sys_poll; ./calls "open /dev/bell r" "poll r 60000" > /dev/null & waiter=$!
else
  head -c 1 /dev/bell > /dev/null & waiter=$!
fi
what=busy
for i in {1..60}; do
  read -r pid name state rest < /proc/$waiter/stat || { what=ended; break; }
  [ $state = Z ] && { what=ended; break; }
  grep -q $place /proc/$waiter/stack && [ $state != R ] && { what=asleep; break; }
done 2> /dev/null
echo $what
if [ $what = asleep ]; then
  if [ $1 = kill ]; then kill $waiter; else echo -n x > /dev/bell; fi
  for i in {1..40}; do grep -q $place /proc/$waiter/stack || break; sleep .05; done 2> /dev/null
  grep -qs $place /proc/$waiter/stack && echo stuck || echo back
fi
kill -9 $waiter 2> /dev/null
"""
"""A script for the guest."""


def wait_for(trial: Trial, how: str) -> list[str]:
    """Let a program wait while there is no ring; return what it did, and what became of it then."""
    trial.vm.push(WAITER, "waiter")
    return trial.run(f"bash waiter {how}; true", timeout=20).stdout.split()


@check(points=1, passed="there is one byte for each ring, and none twice")
def counts_the_rings(trial: Trial) -> None:
    """Without any waiting."""
    trial.load()
    number = random.randrange(5, 20)
    calls = trial.calls("open /dev/bell rw", f"write {'x' * number}", "read 3", "read 60")
    got = [call.result for call in calls[2:]]
    trial.expect(got == [3, number - 3], "count", f"it rang {number} times, read() of 3 and of 60 returned {got}")
    data = calls[2].data + calls[3].data
    trial.expect(data == b"*" * number, "count", f"read() gave {data!r}")


@check(points=3, passed="a reader sleeps until it rings, and is woken then")
def sleeps_and_wakes(trial: Trial) -> None:
    """One reader, several times; then a signal."""
    trial.load()
    for _ in range(2):
        said = wait_for(trial, "read")
        trial.expect(said[0] != "ended", "asleep", "no ring was there, and read() returned at once")
        trial.expect(said[0] == "asleep", "busy", "no ring was there, and the reader went on running")
        trial.expect(said[1] == "back", "wake", "it rang, and some seconds later the reader was still asleep")
    said = wait_for(trial, "kill")
    trial.expect(said[-1] == "back", "signal", "the reader was killed while it waited, and is still there")


@check(points=2, passed="who asked not to wait is told EAGAIN")
def does_not_block(trial: Trial) -> None:
    """O_NONBLOCK, with and without a ring."""
    trial.load()
    said = trial.run("timeout 2 dd if=/dev/bell iflag=nonblock bs=5 count=1 status=none | wc -c", timeout=9)
    told = said.stderr.strip() or f"it returned {said.stdout.strip()}, or slept"
    seen = f"no ring was there, and read() with O_NONBLOCK was not told EAGAIN: {told}"
    trial.expect("Resource temporarily unavailable" in said.stderr, "nonblock", seen)
    one = trial.calls("open /dev/bell rwn", "write x", "read 5")[2]
    trial.expect(one.result == 1, "count", f"it rang once, read() with O_NONBLOCK: {one}")


@check(points=2, passed="poll says when there is a ring, and wakes who waits for it")
def polls(trial: Trial) -> None:
    """Now, and while somebody sleeps in it."""
    trial.load()
    before, after = trial.calls("open /dev/bell rw", "poll r 0", "write xx", "poll r 0", "read 9")[1:4:2]
    trial.expect(before.result == 0, "ready", "no ring was there, and poll() said that one could read")
    trial.expect(after.result == 1, "ready", "it had rung, and poll() did not say that one can read")
    said = wait_for(trial, "poll")
    trial.expect(said[0] != "ended", "ready", "no ring was there, and poll() did not wait for one")
    trial.expect(said[-1] == "back", "poll-wait", "it rang while a program slept in poll(), and it slept on")
