# SPDX-License-Identifier: MIT
"""The kernel's log: captured consoles, damaged text, text that comes in pieces."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.records.kmsg import SEVERITIES, ConsoleParser, KernelLog, KmsgRecord, parse_console, parse_kmsg
from tests.unit.captured import data


def test_every_level_of_a_module_is_read_from_the_console() -> None:
    log = parse_console(data("console-oops.log")).containing("anatomy: level")
    assert [(record.level, record.severity) for record in log] == [*list(enumerate(SEVERITIES))[:6], (7, "debug")]
    assert log[3].text == 'anatomy: level 3: <b>bold</b> & "quoted"'
    assert {record.facility for record in log} == {0}


def test_a_program_that_writes_to_kmsg_has_another_facility() -> None:
    (record,) = parse_console(data("console-oops.log")).containing("from a program")
    assert (record.facility, record.level, record.text) == (1, 4, "from a program")


def test_an_oops_report_stays_whole_and_in_order() -> None:
    lines = [record.text for record in parse_console(data("console-oops.log"))]
    start = lines.index("BUG: kernel NULL pointer dereference, address: 0000000000000000")
    for wanted in ("RIP: 0010:anatomy_fault", " anatomy_init+", "Modules linked in: ", "---[ end trace"):
        start = next(number for number in range(start, len(lines)) if wanted in lines[number])


@pytest.mark.parametrize("name", ["console-oops.log", "console-panic.log"])
def test_no_line_of_a_captured_console_is_lost(name: str) -> None:
    raw = data(name)
    log = parse_console(raw)
    assert len(log) == len(raw.splitlines())
    assert all(record.text in line for record, line in zip(log, raw.splitlines(), strict=True))
    # What programs print to the console stands between the kernel's lines.
    assert {record.text for record in log if record.continued} <= {"Terminated", "Killed"}
    assert [record.seconds for record in log] == sorted(record.seconds for record in log)


def test_console_and_dev_kmsg_tell_the_same() -> None:
    device = parse_kmsg(data("kmsg.txt")).since(2)
    console = parse_console(data("console-oops.log"))
    spoken = [(record.level, record.microseconds, record.text) for record in console]
    assert len(device) > 20
    assert all((record.level, record.microseconds, record.text) in spoken for record in device)


def test_kmsg_undoes_escapes_and_splits_lines() -> None:
    log = parse_kmsg(data("kmsg.txt"))
    umlauts = log.containing("anatomy: gr")[0]
    assert umlauts.text == "anatomy: grüße, \x01tab\there"
    two = log.filter(lambda record: record.text in ("anatomy: two", "lines"))
    assert [record.text for record in two] == ["anatomy: two", "lines"]
    assert two[0].sequence == two[1].sequence is not None
    assert not log.containing("SUBSYSTEM=")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("<6>[    5.123456] text", KmsgRecord(6, 0, 5.123456, "text")),
        ("<4>[    5.123456][  T123] text", KmsgRecord(4, 0, 5.123456, "text", caller="T123")),
        ("<30>[12345.000001][    C0]  indented", KmsgRecord(6, 3, 12345.000001, " indented", caller="C0")),
        ("[    0.5] from dmesg", KmsgRecord(6, 0, 0.5, "from dmesg")),
        ("<3>no time", KmsgRecord(3, 0, 0.0, "no time")),
        ("\x1bc\x1b[?7l\x1b[2J<6>[    0.000000] first", KmsgRecord(6, 0, 0.0, "first")),
        ("<6>[    5.123456] ", KmsgRecord(6, 0, 5.123456, "")),
        ("no prefix", KmsgRecord(6, 0, 0.0, "no prefix", continued=True)),
        ("", KmsgRecord(6, 0, 0.0, "", continued=True)),
        ("<6[    5.1] torn", KmsgRecord(6, 0, 0.0, "<6[    5.1] torn", continued=True)),
    ],
)
def test_forms_of_a_line(line: str, expected: KmsgRecord) -> None:
    assert parse_console(line + "\n") == (expected,)
    assert parse_console(line + "\r\n") == (expected,)


def test_a_line_without_prefix_has_level_and_time_of_the_one_before() -> None:
    log = parse_console("<2>[    1.500000] bad\nrest of it\n<6>[    2.000000] good\n")
    assert [(record.level, record.seconds, record.continued) for record in log] == [
        (2, 1.5, False),
        (2, 1.5, True),
        (6, 2.0, False),
    ]


@given(st.text(), st.data())
def test_pieces_give_what_the_whole_gives(text: str, draws: st.DataObject) -> None:
    raw = text.encode(errors="surrogatepass")
    cuts = sorted(draws.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    parser, records = ConsoleParser(), []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        records += parser.feed(raw[start:end])
    assert tuple(records + parser.close()) == parse_console(raw.decode(errors="backslashreplace"))
    assert parser.close() == []


_PIECE = st.sampled_from(
    ["<6>", "<", "[    1.5]", "[  T1]", "\n", "\r", "7,1,2,-;", " A=b", "\\x0a", "\x1b[2J", "x", "é", "9" * 30]
)


@given(st.lists(_PIECE | st.text(max_size=5)).map("".join))
def test_any_text_is_read_and_no_line_is_lost(text: str) -> None:
    lines = text.removesuffix("\n").split("\n") if text else []
    log = parse_console(text)
    assert len(log) == len(lines)
    for record, line in zip(log, lines, strict=True):
        assert line.rstrip("\r").endswith(record.text)
        assert 0 <= record.level <= 7
    properties = [line for line in lines if line.startswith(" ")]
    assert len(parse_kmsg(text)) >= len(lines) - len(properties)


def test_bytes_that_are_not_utf8_are_kept_in_writing() -> None:
    assert ConsoleParser().feed(b"<6>[    1.000000] \xff\xfe\n")[0].text == "\\xff\\xfe"


@pytest.mark.parametrize("piece", ["<6>[    5.123456] text\n", "[", "\x1b[", "<6>", "[" + " " * 9, "\r", "\x1bc"])
def test_reading_takes_time_in_proportion_to_the_length(piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        start = time.process_time()
        parse_console(text)
        parser = ConsoleParser()
        for at in range(0, len(text), 4096):
            parser.feed(text[at : at + 4096].encode())
        parser.close()
        return time.process_time() - start

    short, long = min(seconds(50_000) for _ in range(3)), min(seconds(800_000) for _ in range(2))
    assert long < 16 * 6 * max(short, 0.001)


def test_a_line_that_never_ends_is_handed_on_in_pieces() -> None:
    parser = ConsoleParser()
    records = [record for _ in range(100) for record in parser.feed(b"x" * 4096)] + parser.close()
    assert sum(len(record.text) for record in records) == 100 * 4096
    assert len(records) > 1


def test_slices_and_searches_stay_logs_that_show_themselves() -> None:
    log = parse_console(data("console-oops.log"))
    worst = log.at_least("error")
    assert isinstance(log[2:5], KernelLog)
    assert 0 < len(worst) < len(log)
    assert all(record.level <= 3 for record in worst)
    assert log[:2].text().startswith("Linux version 6.1.0-56-amd64")
    assert "[    0.000000] Linux version" in log.dmesg()


def test_html_of_a_log_is_escaped_coloured_and_worded() -> None:
    html = parse_console(data("console-oops.log")).containing("level 3")._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; &quot;quoted&quot;" in html
    assert ">error<" in html
    assert "#d55e00" in html
    assert '<th scope="col"' in html
    assert "<caption" in html
