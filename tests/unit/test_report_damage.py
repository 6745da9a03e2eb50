# SPDX-License-Identifier: MIT
"""Damaged, interleaved, forged and huge logs: nothing raises, no line is lost, the time grows with the length."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmodlab.records import KmsgRecord, parse_console
from kmodlab.records.report import Report, parse_reports
from kmodlab.records.report.prefix import lines_of

DATA = Path(__file__).resolve().parents[1] / "data" / "reports"
LOGS = [path.read_bytes().decode().partition("\n\n")[2] for path in sorted(DATA.glob("*/*.log"))]
LINES = sorted({line for log in LOGS for line in log.split("\n")})
WORDS = [
    "BUG: ",
    "WARNING: ",
    "+0x1/0x2",
    "[<",
    ">]",
    "Call Trace:",
    "<IRQ>",
    "RIP: 0010:",
    "\x00",
    "\x1b[2J",
    "é",
    "%s",
    "[",
    "(",
]


def sound(reports: tuple[Report, ...], count: int) -> None:
    """Hold what must be true of any reports from a log of so many lines."""
    firsts = [report.lines[0] for report in reports]
    assert firsts == sorted(firsts)
    for report in reports:
        assert 1 <= report.lines[0] <= report.lines[1] <= count
        assert report.title
        assert report.kind.replace("-", "").isalnum()
        assert "{" not in report.title.partition(" in ")[0] or "{" in report.records[0].text
        str(report), report._repr_html_(), report.to_dict()


@settings(max_examples=150)
@given(st.text(max_size=2000))
def test_any_text(text: str) -> None:
    sound(parse_reports(text), text.count("\n") + 1)
    assert len(list(lines_of(text))) == text.count("\n") + (not text.endswith("\n") and bool(text))


@settings(max_examples=200)
@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=80)), max_size=120))
def test_any_lines_in_any_order(lines: list[str]) -> None:
    text = "\n".join(lines)
    sound(parse_reports(text), text.count("\n") + 1)
    records = [KmsgRecord(len(line) % 8, len(line) % 2, 1.0, line, caller=f"T{len(line) % 3}") for line in lines]
    sound(parse_reports(records), len(records))


def mutated(log: str, dice: random.Random) -> str:
    """Damage a log as consoles do: lost, doubled, cut, swapped and mixed lines and characters."""
    lines = log.split("\n")
    for _ in range(dice.randint(1, 12)):
        at = dice.randrange(len(lines))
        what = dice.randrange(8)
        if what == 0:
            del lines[at : at + dice.randint(1, 5)]
        elif what == 1:
            lines.insert(at, dice.choice(LINES))
        elif what == 2:
            lines[at] = lines[at][: dice.randint(0, len(lines[at]))]
        elif what == 3:
            lines[at] += dice.choice(LINES)
        elif what == 4:
            other = dice.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif what == 5:
            cut = dice.randint(0, len(lines[at]))
            lines[at] = lines[at][:cut] + dice.choice(WORDS) + lines[at][cut:]
        elif what == 6:
            lines[at] = "".join(dice.choice([char, char, char, "", "�"]) for char in lines[at])
        else:
            lines[at:at] = dice.choice(LOGS).split("\n")[:20]
        lines = lines or [""]
    return "\n".join(lines)


def test_damaged_logs_raise_nothing() -> None:
    dice = random.Random(20251124)
    for _ in range(400):
        text = mutated(dice.choice(LOGS), dice)
        sound(parse_reports(text), text.count("\n") + 1)
        sound(parse_reports(parse_console(text)), text.count("\n") + 1)


@pytest.mark.parametrize("name", ["null-write", "warn", "list-twice", "deadlock", "wait"])
def test_a_cut_log_keeps_its_title_as_soon_as_the_function_is_there(name: str) -> None:
    log = (DATA / "captured" / f"{name}.log").read_bytes().decode().partition("\n\n")[2]
    (whole,) = parse_reports(log)
    lines = log.split("\n")
    titles = [parse_reports("\n".join(lines[:count])) for count in range(len(lines))]
    seen = [reports[0].title for reports in titles if reports]
    assert seen[-1] == whole.title
    assert seen.count(whole.title) > len(seen) // 3


def test_lines_between_do_no_harm() -> None:
    """Other records may come between any two lines of a report."""
    for path in sorted(DATA.glob("captured/*.log")):
        log = path.read_bytes().decode().partition("\n\n")[2]
        lines = log.split("\n")
        mixed = "\n".join(f"{line}\n<6>[   10.000000] tester: step {number}" for number, line in enumerate(lines))
        assert [one.title for one in parse_reports(mixed)] == [one.title for one in parse_reports(log)], path.name


LONG: dict[str, Callable[[int], str]] = {
    "reports": lambda size: "\n".join(LOGS[:20]) * size,
    "first lines": lambda size: "BUG: kernel NULL pointer dereference, address: 0000000000000000\n" * 2000 * size,
    "cut here": lambda size: "------------[ cut here ]------------\nwords\n" * 2000 * size,
    "one endless report": lambda size: (
        "INFO: task a:1 blocked for more than 3 seconds.\n" + " f+0x1/0x2 [m]\n" * 4000 * size
    ),
    "warnings in a row": lambda size: "WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\n" * 2000 * size,
    "callers": lambda size: "".join(f"[  1.0][ T{n}] Oops: 0000 [#1]\n" for n in range(2000 * size)),
    "one long line": lambda size: "BUG: KASAN: use-after-free in " + "a+0x1/0x2 [m] (x.c:1) <IRQ> " * 4000 * size,
    "spaces": lambda size: ("> " * 500 + " " * 2000 + "[<" * 500 + "\n") * 20 * size,
    "brackets": lambda size: (" f (a.c:1" + " b.c:2 (discriminator 3)" * 400 + "\n") * 20 * size,
    "words in brackets": lambda size: (" f (a.c:1" + " b" * 900 + "\n") * 40 * size,
    "in a report": lambda size: "Oops: 0000 [#1]\n" + ("WARNING: a, CPU#1: " * 5000 + "\n") * 5 * size,
    "of accesses": lambda size: "Oops: 0000 [#1]\n" + ("CPU: 1 PID: 1 Comm: " * 2000 + "\n") * 20 * size,
    "of places": lambda size: "Oops: 0000 [#1]\n" + (" ? [<12345678>] " + "a" * 3000 + "+0x1/\n") * 100 * size,
    "tainted": lambda size: ("Oops: 0000 [#1]\n" + "Tainted: " + "G " * 4000 + "\n") * 10 * size,
}


@pytest.mark.parametrize("name", LONG)
def test_the_time_is_linear_in_the_length(name: str) -> None:
    def seconds(size: int) -> float:
        text = LONG[name](size)
        times = []
        for _ in range(3):
            start = time.process_time()
            parse_reports(text)
            times.append(time.process_time() - start)
        return min(times)

    small = max(seconds(1), 0.005)
    # Twice as long four times over; a quadratic parser would take 16 times as long.
    assert seconds(4) < 9 * small


def test_a_flood_holds_no_more_than_its_reports() -> None:
    (report, *_) = parse_reports("<6>[    1.000000] hello: flood\n" * 100_000 + LOGS[0])
    assert report.lines[0] > 100_000
    assert len(report.records) < 200
