# SPDX-License-Identifier: MIT
"""The frames of the agent's protocol: whatever the pieces they arrive in and the rubbish between them."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.errors import UsageError
from kmodlab.guest import frames
from kmodlab.guest.frames import Exit, ExitFlag, Frame, FrameParser, How, Type, encode, encode_start
from kmodlab.resources import resource

FRAMES = st.lists(
    st.builds(
        Frame,
        task=st.integers(0, 2**32 - 1),
        type=st.sampled_from([Type.OUT, Type.ERR, Type.EXIT, Type.CREDIT]),
        payload=st.binary(max_size=300) | st.just(b"kml1" * 9),
    ),
    max_size=6,
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut data at the given places (taken modulo its length)."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(sent=FRAMES, cuts=st.lists(st.integers(0, 5000), max_size=8))
def test_frames_survive_any_cut(sent: list[Frame], cuts: list[int]) -> None:
    parser = FrameParser()
    wire = b"".join(encode(Type(frame.type), frame.task, frame.payload) for frame in sent)
    assert [frame for piece in pieces(wire, cuts) for frame in parser.feed(piece)] == sent


@given(rubbish=st.binary(max_size=200) | st.just(b"kml1") | st.just(b"k" * 50), sent=FRAMES)
def test_rubbish_between_frames_is_skipped(rubbish: bytes, sent: list[Frame]) -> None:
    parser = FrameParser()
    wire = b"".join(rubbish + encode(Type(frame.type), frame.task, frame.payload) for frame in sent)
    assert list(parser.feed(wire)) == sent


def test_a_damaged_header_costs_one_frame_only() -> None:
    first, second = encode(Type.OUT, 1, b"lost"), encode(Type.OUT, 2, b"kept")
    for position in range(16):
        damaged = bytearray(first)
        damaged[position] ^= 0x10
        assert list(FrameParser().feed(bytes(damaged) + second)) == [Frame(2, Type.OUT, b"kept")]


def test_a_damaged_exit_is_an_unknown_end() -> None:
    assert Exit.decode(b"short") == Exit(How.UNKNOWN, ExitFlag(0), 0, 0, 0)


@pytest.mark.parametrize("argv", [[], ["true", "a\0b"], ["true"] * 5000, ["x" * (frames.FRAME_MAX + 1)]])
def test_what_cannot_be_a_command_is_refused(argv: list[str]) -> None:
    with pytest.raises(UsageError, match=r"^run "):
        encode_start(1, argv, "/", {}, 0)


def test_both_sides_agree_on_the_numbers() -> None:
    """Read the agent's header file, and compare it with what the host says."""
    text = resource("vm/agent/protocol.h").read_text()
    types = {name: int(value, 0) for name, value in re.findall(r"FRAME_(\w+) = (\w+),", text)}
    assert types == {kind.name: kind.value for kind in Type}
    shifted = {name: int(value) << 10 for name, value in re.findall(r"#define (\w+) \((\d+)u << 10\)", text)}
    assert shifted == {"FRAME_MAX": frames.FRAME_MAX, "STDIN_WINDOW": frames.STDIN_WINDOW}
    assert f"#define PROTOCOL_VERSION {frames.PROTOCOL_VERSION}\n" in text
    assert f"#define NONCE_SIZE {frames.NONCE_SIZE}\n" in text
