# SPDX-License-Identifier: MIT
"""The console of a machine: whole when it is of an ordinary length, bounded when it is flooded."""

from __future__ import annotations

import os

import pytest

import kmodlab
from kmodlab import aio
from kmodlab.machine import console as console_module
from kmodlab.machine.console import Console

pytestmark = pytest.mark.machine


def resident(console: Console) -> int:
    """Bytes of memory that the console's file takes."""
    return os.fstat(console._fd).st_blocks * 512


def write(fd: int, first: int, last: int) -> None:
    os.write(fd, b"".join(b"<6>[%5d.000000] line %d\n" % (number, number) for number in range(first, last)))


def test_records_keep_their_numbers() -> None:
    console = Console()
    fd = console.writer()
    write(fd, 0, 10)
    assert console.mark() == 10
    write(fd, 10, 15)
    assert [record.text for record in console.since(10)] == [f"line {number}" for number in range(10, 15)]
    os.close(fd)
    console.close()
    assert len(console.since()) == 15


def test_of_a_long_log_both_ends_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module, "_KEPT", 100)
    console = Console()
    fd = console.writer()
    write(fd, 0, 1000)
    texts = [record.text for record in console.since()]
    assert texts[:100] == [f"line {number}" for number in range(100)]
    assert texts[100] == "kmodlab: 800 lines are left out here"
    assert texts[101:] == [f"line {number}" for number in range(900, 1000)]
    assert [record.text for record in console.since(995)] == [f"line {number}" for number in range(995, 1000)]
    assert console.since(500)[0].text == "kmodlab: 400 lines are left out here"
    os.close(fd)
    console.close()


@pytest.mark.parametrize("pieces", [10, pytest.param(65, marks=pytest.mark.slow, id="a-gigabyte")])
def test_a_flood_costs_a_few_megabytes(pieces: int) -> None:
    console = Console()
    fd = console.writer()
    piece = b"<6>[    1.000000] " + b"x" * 81 + b"\n"
    write(fd, 0, 10)
    for _ in range(pieces):
        os.write(fd, piece * 167_772)
        console.mark()
    write(fd, 10, 20)
    assert console.bytes_printed() > pieces * 167_772 * len(piece)
    texts = [record.text for record in console.since()]
    assert texts[:10] == [f"line {number}" for number in range(10)]
    assert texts[-10:] == [f"line {number}" for number in range(10, 20)]
    assert any("bytes of a flood are left out" in text for text in texts)
    assert resident(console) <= 20 << 20
    assert len(texts) < 50_000
    os.close(fd)
    console.close()


def test_a_guest_that_floods_is_still_heard(machine: kmodlab.Machine) -> None:
    machine.check("echo beginning > /dev/kmsg; yes 'line of a flood' | head -n 30000 > /dev/kmsg; echo end > /dev/kmsg")
    log = machine.dmesg()
    assert log.containing("beginning")
    assert log[-1].text == "end"


def test_a_clone_that_has_logged_nothing_waits_for_no_line(machine: kmodlab.Machine) -> None:
    """The newest record is then one of the frozen machine's, which was printed before there was this clone."""
    result = machine.run("true")
    assert machine.dmesg() == ()
    assert result.log_time > 0
    aio.call(machine._running().console.reach(result.log_time), timeout=1)  # it would wait for two seconds
