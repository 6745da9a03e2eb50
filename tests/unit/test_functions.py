# SPDX-License-Identifier: MIT
"""Calls of a module's functions from captured traces, and what they come to."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from kmodlab.records.functions import FunctionTrace, format_us, parse_functions

TRACES = Path(__file__).parents[1] / "data" / "functions"


def trace(release: str) -> str:
    return (TRACES / f"scribble-{release}.txt").read_text()


@pytest.mark.parametrize("release", ["6.1", "6.12"])
def test_the_calls_of_a_real_trace(release: str) -> None:
    found = parse_functions(trace(release))
    assert found.modules == ("scribble",)
    assert found.unfinished == found.lost == 0
    # Three lines are appended and one written over: four writes, each of which sets the length, and one more opening.
    counts = {row.name: row.calls for row in found.functions}
    assert counts == {
        "scribble_open": 9, "scribble_read": 12, "scribble_write": 4, "set_length": 5, "scribble_llseek": 2,
        "scribble_ioctl": 1,
    }  # fmt: skip
    assert {(edge.caller, edge.function, edge.calls) for edge in found.edges if edge.caller} == {
        ("scribble_write", "set_length", 4),
        ("scribble_open", "set_length", 1),
    }
    assert [call.seconds for call in found.calls] == sorted(call.seconds for call in found.calls)


def test_time_inside_is_taken_off_the_caller() -> None:
    found = parse_functions(trace("6.1"))
    first = found.calls.where(function="scribble_write")[0]
    inner = found.calls.where(function="set_length", caller="scribble_write")[0]
    assert first.own_us == pytest.approx(first.us - inner.us)
    assert first.seconds < inner.seconds
    write = found.functions.named("scribble_write")
    assert write.us == pytest.approx(write.own_us + sum(one.us for one in found.calls.where(caller="scribble_write")))
    assert [row.own_us for row in found.functions] == sorted((row.own_us for row in found.functions), reverse=True)


NESTED = """
 1.000001 |   0)    cat-7     |               |  outer [m]() {
 1.000002 |   0)    cat-7     |               |    again [m]() {
 1.000003 |   1)    dd-8      | + 12.000 us   |  outer [m]();
 1.000004 |   0)    cat-7     |   1.000 us    |      again [m]();
 1.000009 |   1)    cat-7     |   5.000 us    |    } /* again [m] */
 1.000010 |   0)   <idle>-0   |   2.000 us    |  tick [m]();
 1.000020 |   1)    cat-7     | ! 10.000 us   |  } /* outer [m] */
 1.000030 |   0)    cat-7     |               |  outer [m]() {
 1.000031 |   0)    cat-7     |   3.000 us    |  } /* lost [m] */
 1.000032 |   0)    cat-7     |   9.000 us    |  } /* whose begin was lost */
"""


def test_tasks_move_between_processors_and_functions_call_themselves() -> None:
    found = parse_functions(NESTED, ["m"])
    assert [(call.function, call.caller, call.pid, call.own_us) for call in found.calls] == [
        ("outer", "", 7, 5.0), ("again", "outer", 7, 4.0), ("outer", "", 8, 12.0), ("again", "again", 7, 1.0),
        ("tick", "", 0, 2.0), ("outer", "", 7, 3.0),
    ]  # fmt: skip
    again = found.functions.named("again")
    assert (again.calls, again.us, again.own_us, again.longest_us) == (2, 5.0, 5.0, 5.0)


def test_calls_that_did_not_end_are_counted_apart() -> None:
    found = parse_functions("1.5 |   0)    cat-7     |               |  sleeper [m]() {\n", ["m"])
    assert (found.calls, found.unfinished) == ((), 1)


def test_a_damaged_trace_is_read_as_far_as_it_goes() -> None:
    text, dice = trace("6.12"), random.Random(11)
    whole = len(parse_functions(text).calls)
    for _ in range(200):
        at = dice.randrange(len(text))
        assert len(parse_functions(text[:at]).calls) <= whole
        parse_functions(text[:at] + chr(dice.randrange(256)) + text[at + dice.randrange(9) :])
    assert isinstance(parse_functions("# tracer: nop\n"), FunctionTrace)


@pytest.mark.parametrize(
    ("us", "text"),
    [(0.42, "0.42 µs"), (12.34, "12.3 µs"), (999.4, "999 µs"), (999.6, "1 ms"), (1687, "1.69 ms"), (2.5e6, "2.5 s")],
)
def test_times_for_people(us: float, text: str) -> None:
    assert format_us(us) == text


def test_it_shows_itself_as_a_table_with_units() -> None:
    found = parse_functions(trace("6.1"), lost=3)
    assert "3 events were lost" in str(found)
    assert "µs" in found._repr_html_()
