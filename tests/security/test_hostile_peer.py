# SPDX-License-Identifier: MIT
"""A guest whose agent is somebody else: whatever comes over the channel, the host gets over it, in bounded time."""

from __future__ import annotations

import contextlib
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmodlab.errors import CommandTimeout, KmodlabError, MachineLost, TransferError, UsageError
from kmodlab.guest import Session, channel
from kmodlab.guest.frames import PROTOCOL_VERSION, Exit, FrameParser, Type, encode, header_of
from kmodlab.guest.session import parse_snapshot

Answer = Callable[[socket.socket, int], None]
"""What the peer does when the host starts a task of that number; an OSError means that the host has hung up."""

FRAMES = st.builds(
    lambda kind, task, payload, length: header_of(task, kind, len(payload) if length is None else length) + payload,
    st.integers(0, 255),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=64),
    st.none() | st.integers(0, 0xFFFFFFFF),
)
STREAMS = st.lists(FRAMES | st.binary(max_size=40) | st.just(b"kml1") | st.just(b"k" * 20), max_size=12).map(b"".join)


@contextlib.contextmanager
def peer(answer: Answer) -> Iterator[Session]:
    """A session with an agent that greets as it should, and answers each task as it likes."""
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=_play, args=(theirs, answer))
    thread.start()
    try:
        session = Session.open(ours)
        try:
            yield session
        finally:
            session.close()
    finally:
        with contextlib.suppress(OSError):
            theirs.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        theirs.close()
        assert not thread.is_alive()


def _play(sock: socket.socket, answer: Answer) -> None:
    parser = FrameParser()
    with contextlib.suppress(OSError):
        while data := sock.recv(1 << 16):
            for frame in parser.feed(data):
                if frame.type == Type.HELLO:
                    sock.sendall(encode(Type.WELCOME, 0, frame.payload + struct.pack("<I", PROTOCOL_VERSION)))
                elif frame.type == Type.START:
                    answer(sock, frame.task)


def ended(task: int, log_us: int = 0) -> bytes:
    return encode(Type.EXIT, task, struct.pack("<BBHiQ", 0, 0, 0, 0, log_us))


@settings(max_examples=300, deadline=None)
@given(STREAMS, st.integers(1, 50))
def test_the_parser_takes_any_bytes_in_any_pieces(stream: bytes, size: int) -> None:
    parser, whole = FrameParser(), FrameParser()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [frame for piece in pieces for frame in parser.feed(piece)] == list(whole.feed(stream))
    last = encode(Type.OUT, 5, b"found")
    found = list(parser.feed(bytes(1 << 18) + last))
    assert found[-1].payload == b"found"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_any_payload_is_some_end(payload: bytes) -> None:
    assert Exit.decode(payload).error >= 0


@settings(max_examples=40, deadline=None)
@given(STREAMS)
def test_any_stream_before_the_answer(stream: bytes) -> None:
    """Rubbish may swallow the answer (that is a machine which no longer answers), or look like one; no more."""

    def answer(sock: socket.socket, task: int) -> None:
        sock.sendall(stream + bytes(1 << 18) + encode(Type.OUT, task, b"out") + ended(task))

    with peer(answer) as session:
        try:
            done = session.run("x", timeout=5)
        except MachineLost as lost:
            assert "killed" in str(lost)  # a WELCOME was among it
        else:
            assert (done.stdout, done.exit_status) == ("out", 0)


@settings(max_examples=40, deadline=None)
@given(st.lists(FRAMES, max_size=8), st.integers(0, 255))
def test_any_frames_to_the_task_itself(frames: list[bytes], kind: int) -> None:
    """The right number and any content: an error of ours or some result, never another exception or a wait."""

    def answer(sock: socket.socket, task: int) -> None:
        own = [header_of(task, frame[12], len(frame) - 16) + frame[16:] for frame in frames]
        sock.sendall(b"".join(own) + encode(Type.OUT, task, b"o") + ended(task))

    with peer(answer) as session, contextlib.suppress(KmodlabError):
        session.run("x", timeout=5)


@pytest.mark.parametrize("kind", [Type.OUT, Type.ERR])
def test_output_without_end(kind: Type) -> None:
    """The host stops to keep it at the limit, tells the task to end, and goes on to the end when it comes."""

    def answer(sock: socket.socket, task: int) -> None:
        piece = encode(kind, task, bytes(200_000))
        for _ in range(400):
            sock.sendall(piece)
        sock.sendall(ended(task))

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with peer(answer) as session:
        done = session.run("x", timeout=20, limit=1 << 20)
    assert done.cut
    assert len(done.stdout) + len(done.stderr) == 1 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # kB


@pytest.mark.parametrize("rubbish", [b"k" * (1 << 18), bytes(1 << 18), encode(Type.OUT, 0, b"k" * 100) * 1000])
def test_rubbish_without_end(rubbish: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as a sign of life, but not for ever; and it is read quickly, whatever it looks like."""
    monkeypatch.setattr(channel, "_GRACE", 0.2)
    sent = 0

    def answer(sock: socket.socket, task: int) -> None:
        nonlocal sent
        while True:
            sock.sendall(rubbish)
            sent += len(rubbish)

    start = time.monotonic()
    with peer(answer) as session, pytest.raises(MachineLost, match="reports no end"):
        session.run("x", timeout=0.5)
    assert time.monotonic() - start < 20
    assert sent > 4 << 20


def test_an_agent_that_only_answers_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "_GRACE", 0.1)

    def answer(sock: socket.socket, task: int) -> None:
        while sock.recv(1 << 16):
            sock.sendall(encode(Type.PONG, 0, b"ping"))

    with peer(answer) as session, pytest.raises(MachineLost, match="reports no end"):
        session.run("x", timeout=0.2)


def test_an_end_in_a_far_future_and_credit_without_measure() -> None:
    def answer(sock: socket.socket, task: int) -> None:
        sock.sendall(encode(Type.CREDIT, task, b"\xff" * 200_000) * 3 + ended(task, log_us=2**64 - 1))

    with peer(answer) as session:
        done = session.run("x", timeout=5, stdin=bytes(1 << 20))
    assert done.log_time > 1e12


def test_an_agent_that_reads_nothing_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "_GRACE", 0.1)
    monkeypatch.setattr(channel, "_SILENCE", 0.5)
    with peer(lambda sock, task: None) as session, pytest.raises(MachineLost, match="no longer answers"):
        session.run("x", timeout=0.2, stdin=bytes(1 << 20))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.from_regex(rb"-?[0-9]{1,12} -?[0-9]{1,3} [a-z./]{0,9}\x00.{0,9}", fullmatch=True))
def test_any_answer_about_files_is_files_or_an_error(text: bytes) -> None:
    """A negative size once sent the reader round in a circle."""
    with contextlib.suppress(TransferError):
        assert all(len(content) <= len(text) for content in parse_snapshot(text).values())


@pytest.mark.parametrize("text", [b"-8 0 /a\0", b"5 0 /a\0abc", b"x 0 /a\0", b"9999999999 0 /a\0", b"0 0 /a"])
def test_a_damaged_answer_about_files(text: bytes) -> None:
    with pytest.raises(TransferError, match="damaged at byte 0"):
        parse_snapshot(text)


def test_names_in_an_answer_are_only_names() -> None:
    assert parse_snapshot(b"2 0 ../../etc/passwd\0hi1 2 /dev/sda\0x") == {"../../etc/passwd": b"hi"}


def test_a_guest_that_never_greets() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(encode(Type.WELCOME, 0, bytes(20)) * 100)
        with pytest.raises((MachineLost, CommandTimeout)):
            Session.open(ours, timeout=1.2)


def test_a_command_of_too_many_words_is_refused_here() -> None:
    with peer(lambda sock, task: None) as session, pytest.raises(UsageError):
        session.run(["x"] * 5000)
