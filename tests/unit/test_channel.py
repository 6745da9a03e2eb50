# SPDX-License-Identifier: MIT
"""The real agent as a process of this host, at the other end of a socket pair: tasks, streams, limits, ends."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kmodlab import aio, process
from kmodlab.errors import CommandTimeout, MachineLost, TransferError, UsageError
from kmodlab.guest import Channel, Session, TaskResult
from kmodlab.guest.frames import Exit, FrameParser, Type, encode, encode_identity, encode_start, header_of
from kmodlab.guest.identity import identify
from kmodlab.resources import resource
from tests.parts import program

MEGA = 1 << 20
FLAGS = ("-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror")  # as vm/README.md says


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent, compiled as for the guest."""
    compiler = program("machine", "musl-gcc")
    agent = tmp_path_factory.mktemp("agent") / "agent"
    sources = sorted(resource("vm/agent").glob("*.c"))
    done = process.run([compiler, *FLAGS, "-o", agent, *sources], timeout=120)
    assert done.exit_status == 0, done.text
    return agent


@dataclass
class Running:
    """An agent that runs, and this side of its connection."""

    child: subprocess.Popen[bytes]
    sock: socket.socket

    def memory(self) -> int:
        """Return the bytes it has resident (``/proc/PID/statm``)."""
        return int(Path(f"/proc/{self.child.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_ticks(self) -> int:
        """Return the processor time it has used (``/proc/PID/stat``)."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])


@pytest.fixture
def running(agent: Path) -> Iterator[Running]:
    """A fresh agent, which ends with its connection."""
    ours, theirs = socket.socketpair()
    child = subprocess.Popen([agent, "--fd", str(theirs.fileno())], pass_fds=[theirs.fileno()])
    theirs.close()
    yield Running(child, ours)
    with contextlib.suppress(OSError):
        ours.shutdown(socket.SHUT_RDWR)
    ours.close()
    assert child.wait(10) in (0, -signal.SIGKILL)


@pytest.fixture
def session(running: Running) -> Iterator[Session]:
    """A session with a fresh agent."""
    opened = Session.open(running.sock)
    yield opened
    opened.close()


def eventually(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether a condition comes true; asking takes a little time itself."""
    deadline = time.monotonic() + seconds
    while not (now := true()) and time.monotonic() < deadline:
        os.sched_yield()
    return now


def first_number(sock: socket.socket) -> int:
    """Play a host by hand: return the number that the first task prints first."""
    parser = FrameParser()
    sock.settimeout(20)
    while True:
        for frame in parser.feed(sock.recv(200)):
            if frame.type == Type.OUT:
                return int(frame.payload.split()[0])


def read_until_exit(sock: socket.socket, task: int) -> tuple[dict[int, bytes], Exit]:
    """Play a host by hand: return what a task printed, by frame type, and how it ended."""
    parser, outputs = FrameParser(), {int(Type.OUT): b"", int(Type.ERR): b""}
    sock.settimeout(20)
    while True:
        for frame in parser.feed(sock.recv(1 << 16)):
            if frame.task == task and frame.type == Type.EXIT:
                return outputs, Exit.decode(frame.payload)
            if frame.task == task and frame.type in outputs:
                outputs[frame.type] += frame.payload


def test_a_command_gives_its_outputs_and_status(session: Session) -> None:
    done = session.run("echo out; echo err >&2; exit 3", cwd="/")
    assert (done.exit_status, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert 0 < done.seconds < 10


def test_a_command_gets_words_folder_and_variables_untouched(session: Session, tmp_path: Path) -> None:
    words = ["printf", "%s|", "a b", "$HOME", "é", "", "*"]
    assert session.run(words, cwd="/").stdout == "a b|$HOME|é||*|"
    assert (
        session.run("pwd; echo $COLOUR", cwd=str(tmp_path), env={"COLOUR": "grün =1"}).stdout
        == f"{tmp_path}\ngrün =1\n"
    )


def test_a_command_has_an_ordinary_environment(session: Session) -> None:
    text = session.run("cat; echo $PATH; ls /proc/self/fd", cwd="/").stdout
    assert "/usr/bin" in text
    assert text.split("\n")[-5:-1] == ["0", "1", "2", "3"]  # the last one is that of ls itself
    blocked = session.run("grep -E '^Sig(Blk|Ign)' /proc/self/status", cwd="/").stdout
    assert [line.split()[1].strip("0") for line in blocked.splitlines()] == ["", ""]


def test_the_end_by_a_signal_is_a_negative_status(session: Session) -> None:
    assert session.run("kill -SEGV $$", cwd="/").exit_status == -signal.SIGSEGV


@pytest.mark.parametrize(("program", "status", "reason"), [("no-such-program", 127, "ENOENT"), ("/etc", 126, "EACCES")])
def test_a_program_that_cannot_start(session: Session, program: str, status: int, reason: str) -> None:
    done = session.task([program], cwd="/")
    assert (done.exit_status, errno.errorcode[done.errno]) == (status, reason)
    assert program.encode() in done.stderr


def test_a_folder_that_is_not_there(session: Session) -> None:
    done = session.run("true", cwd="/no/such/folder")
    assert (done.exit_status, done.stderr) == (126, "chdir /no/such/folder: No such file or directory\n")


def test_eight_megabytes_go_both_ways_at_once(session: Session) -> None:
    data = os.urandom(8 * MEGA)
    assert session.task(["cat"], stdin=data, cwd="/", limit=9 * MEGA).stdout == data


def test_both_outputs_arrive_whole(session: Session) -> None:
    script = "for i in $(seq 2000); do echo out $i; echo err $i >&2; done"
    done = session.run(script, cwd="/")
    assert done.stdout == "".join(f"out {i}\n" for i in range(1, 2001))
    assert done.stderr == "".join(f"err {i}\n" for i in range(1, 2001))


def test_output_comes_while_the_command_runs(session: Session) -> None:
    seen: list[tuple[int, bytes]] = []
    answered = threading.Event()

    def watch(stream: int, piece: bytes) -> None:
        seen.append((stream, piece))
        answered.set()

    # The command waits for a second one, which is started only when the first output is here.
    folder = session.run("mktemp -d", cwd="/tmp").stdout.strip()
    session.run("mkfifo fifo", cwd=folder)
    waiting = asyncio.run_coroutine_threadsafe(
        session.channel.task(["bash", "-c", "echo first; read l < fifo; echo $l"], cwd=folder, on_output=watch),
        aio.loop(),
    )
    assert answered.wait(10)
    session.run("echo second > fifo", cwd=folder)
    assert waiting.result(10).stdout == b"first\nsecond\n"
    session.run(["rm", "-r", folder], cwd="/")
    assert seen == [(1, b"first\n"), (1, b"second\n")]


def test_a_callback_that_fails_ends_the_call_and_nothing_else(session: Session) -> None:
    def watch(stream: int, piece: bytes) -> None:
        raise ZeroDivisionError(stream, piece)

    with pytest.raises(ZeroDivisionError):
        session.run("echo x; sleep 100", cwd="/", on_output=watch)
    assert session.run("echo y", cwd="/").stdout == "y\n"


def test_a_program_that_does_not_read_lets_its_input_go(session: Session) -> None:
    assert session.task(["true"], stdin=bytes(8 * MEGA), cwd="/").exit_status == 0
    script = "exec 0<&-; echo closed; sleep 0.1"
    assert session.run(script, stdin=bytes(8 * MEGA), cwd="/").stdout == "closed\n"


def test_input_that_nobody_reads_stays_within_the_window(session: Session, running: Running) -> None:
    before = running.memory()
    with pytest.raises(CommandTimeout):
        session.run("sleep 100", timeout=0.5, stdin=bytes(8 * MEGA), cwd="/")
    assert running.memory() - before < MEGA


def test_too_much_output_is_cut_and_the_task_killed(session: Session) -> None:
    done = session.run("yes", cwd="/", limit=100_000)
    assert done.cut
    assert (len(done.stdout), done.exit_status) == (100_000, -signal.SIGKILL)


def test_a_command_that_takes_too_long_is_killed_with_its_children(session: Session) -> None:
    with pytest.raises(CommandTimeout, match=r"^run echo .*: not done after 0.5 s \(ETIMEDOUT\); ") as caught:
        session.run("echo $$; sleep 100 | sleep 100", timeout=0.5, cwd="/")
    assert (caught.value.seconds, caught.value.stuck) == (0.5, False)
    group = caught.value.stdout.strip()
    alive = f"ps -e -o pgid=,stat= | grep -E '^ *{group} +[^Z]'"
    assert eventually(lambda: session.run(alive, cwd="/").stdout == "")


def test_many_tasks_at_once_do_not_mix(session: Session) -> None:
    async def all_of_them() -> list[TaskResult]:
        script = "echo $0; cat; echo $0 >&2; exit $0"
        tasks = (
            session.channel.task(["bash", "-c", script, str(n)], stdin=bytes([n]) * 50_000, cwd="/") for n in range(100)
        )
        return await asyncio.gather(*tasks)

    for n, done in enumerate(aio.call(all_of_them(), 60)):
        assert done.stdout == b"%d\n" % n + bytes([n]) * 50_000
        assert (done.stderr, done.exit_status) == (b"%d\n" % n, n)


def test_more_tasks_than_the_agent_has_room_for(session: Session) -> None:
    async def crowd() -> tuple[list[TaskResult], TaskResult]:
        first = [asyncio.ensure_future(session.channel.task(["sleep", "100"], cwd="/")) for _ in range(128)]
        await asyncio.sleep(0)  # let them send their START frames
        refused = await session.channel.task(["true"], cwd="/")
        for task in first:
            task.cancel()
        return [r for r in await asyncio.gather(*first, return_exceptions=True) if isinstance(r, TaskResult)], refused

    ended, refused = aio.call(crowd(), 60)
    assert ended == []
    assert (refused.exit_status, os.strerror(refused.errno)) == (None, "Resource temporarily unavailable")
    deadline = time.monotonic() + 30
    while (done := session.task(["echo", "room again"], cwd="/")).errno and time.monotonic() < deadline:
        pass  # the last of them are still being killed
    assert done.stdout == b"room again\n"


@pytest.mark.parametrize("left", ["sleep 100", "yes"])
def test_what_stays_in_the_background_does_not_hold_the_command(session: Session, left: str) -> None:
    done = session.run(f"{left} & echo $! >&2", cwd="/", limit=1 << 30)
    assert done.exit_status == 0
    assert done.seconds < 5
    session.run(["kill", "-9", done.stderr.strip()], cwd="/")


def test_a_noisy_task_does_not_starve_the_others(session: Session) -> None:
    async def beside_noise() -> tuple[TaskResult, float]:
        noise = asyncio.ensure_future(session.channel.task(["yes"], cwd="/", limit=1 << 40))
        start = time.monotonic()
        done = await session.channel.task(["echo", "heard"], cwd="/")
        seconds = time.monotonic() - start
        noise.cancel()
        await asyncio.wait([noise])
        return done, seconds

    done, seconds = aio.call(beside_noise(), 60)
    assert done.stdout == b"heard\n"
    assert seconds < 3


def test_a_cancelled_task_is_killed(session: Session) -> None:
    started = threading.Event()
    pids: list[int] = []

    def watch(_: int, piece: bytes) -> None:
        pids.append(int(piece))
        started.set()

    call = asyncio.run_coroutine_threadsafe(
        session.channel.task(["bash", "-c", "echo $$; exec sleep 100"], cwd="/", on_output=watch), aio.loop()
    )
    assert started.wait(10)
    call.cancel()
    assert eventually(lambda: not Path(f"/proc/{pids[0]}").exists())


def test_an_interrupt_leaves_the_session_usable(session: Session) -> None:
    main = threading.main_thread().ident
    assert main is not None
    pids: list[int] = []

    def interrupt(_: int, piece: bytes) -> None:
        pids.append(int(piece))
        signal.pthread_kill(main, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        session.run("echo $$; exec sleep 100", cwd="/", on_output=interrupt)
    assert not Path(f"/proc/{pids[0]}").exists()
    assert session.run("echo usable", cwd="/").stdout == "usable\n"


def test_rubbish_on_the_wire_is_skipped(running: Running) -> None:
    running.sock.sendall(os.urandom(100_000) + b"kml1" + encode(Type.HELLO, 0, b"short") + b"kkkk" * 100)
    with contextlib.closing(Session.open(running.sock)) as session:
        assert session.run("echo fine", cwd="/").stdout == "fine\n"


def test_nonsense_in_valid_frames_does_no_harm(running: Running) -> None:
    for kind in range(256):
        for payload in (b"", b"\xff" * 12, struct.pack("<III", 0, 4096, 4096), os.urandom(300)):
            if kind != Type.HELLO:
                running.sock.sendall(header_of(7, kind, len(payload)) + payload)
    with contextlib.closing(Session.open(running.sock)) as session:
        assert session.run("echo fine", cwd="/").stdout == "fine\n"


def test_a_new_host_ends_what_the_last_one_left(running: Running) -> None:
    """As after a clone: the last host went away in the middle of a frame, with a task running and output queued."""
    running.sock.sendall(encode_start(1, ["bash", "-c", "echo $$; exec yes"], "/", {}, 0))
    pid = first_number(running.sock)
    running.sock.sendall(header_of(1, Type.STDIN, 200_000) + b"the rest never comes")
    with contextlib.closing(Session.open(running.sock)) as session:
        assert session.run(["echo", "new"], cwd="/").stdout == "new\n"
        # What was killed can be seen until it has died and its end was taken note of.
        assert eventually(lambda: session.run(["kill", "-0", str(pid)], cwd="/").exit_status != 0)


def test_a_host_that_does_not_read_stops_the_writer_not_the_agent(running: Running) -> None:
    running.sock.sendall(encode_start(1, ["head", "-c", str(4 * MEGA), "/dev/zero"], "/", {}, 0))
    running.sock.sendall(encode_start(2, ["sleep", "100"], "/", {}, 200))
    outputs, end = read_until_exit(running.sock, 1)
    assert (len(outputs[Type.OUT]), end.code) == (4 * MEGA, 0)
    assert running.memory() < 4 * MEGA


def test_input_beyond_the_window_kills_the_task(running: Running) -> None:
    running.sock.sendall(encode_start(1, ["sleep", "100"], "/", {}, 0))
    running.sock.sendall(encode(Type.STDIN, 1, bytes(256 << 10)) * 3)
    assert read_until_exit(running.sock, 1)[1].code == signal.SIGKILL


def test_an_idle_agent_uses_no_processor_time(session: Session, running: Running) -> None:
    session.run("true", cwd="/")
    before = running.cpu_ticks()
    session.run("sleep 1", cwd="/")
    assert running.cpu_ticks() - before <= 2


def test_the_death_of_the_agent_reaches_everybody_who_waits(agent: Path) -> None:
    """Its successor, which the guest's first process starts, takes over the same port."""
    ours, theirs = socket.socketpair()
    argv = [str(agent), "--fd", str(theirs.fileno())]
    first = subprocess.Popen(argv, pass_fds=[theirs.fileno()])
    with contextlib.closing(Session.open(ours)) as session, theirs:
        waiting = asyncio.run_coroutine_threadsafe(session.channel.task(["sleep", "1"], cwd="/"), aio.loop())
        session.run(["true"], cwd="/")
        first.kill()
        first.wait()
        second = subprocess.Popen(argv, pass_fds=[theirs.fileno()])
        with pytest.raises(MachineLost) as caught:
            waiting.result(10)
        assert caught.value.reason == "killed"
        assert session.run("echo reborn", cwd="/").stdout == "reborn\n"
    assert second.wait(10) == 0


def test_the_end_of_the_machine_reaches_everybody_who_waits(session: Session, running: Running) -> None:
    with pytest.raises(MachineLost) as caught:
        session.run("echo $PPID; sleep 1", cwd="/", on_output=lambda *_: running.child.kill())
    assert caught.value.reason == "ended"
    with pytest.raises(MachineLost):
        session.run("true", cwd="/")


def test_an_agent_that_stops_answering_is_noticed(
    session: Session, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kmodlab.guest.channel._GRACE", 0.2)
    monkeypatch.setattr("kmodlab.guest.channel._SILENCE", 0.2)
    running.child.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(MachineLost) as caught:
            session.run("true", timeout=0.1, cwd="/")
    finally:
        running.child.send_signal(signal.SIGCONT)
    assert caught.value.reason == "hung"
    assert session.run("echo back", cwd="/").stdout == "back\n"


def test_nobody_at_the_other_end() -> None:
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(MachineLost) as caught:
        Session.open(ours, timeout=0.2)
    assert caught.value.reason == "hung"


def test_a_channel_before_its_hello() -> None:
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    with theirs, pytest.raises(MachineLost, match="hello"):
        aio.call(channel.task(["true"]))
    channel.close()


def test_push_writes_the_whole_file_with_its_mode(session: Session, tmp_path: Path) -> None:
    data = os.urandom(2 * MEGA)
    session.push(data, f"{tmp_path}/new", 0o750)
    assert (tmp_path / "new").read_bytes() == data
    assert (tmp_path / "new").stat().st_mode & 0o7777 == 0o750
    (tmp_path / "link").symlink_to("new")
    source = tmp_path / "source"
    source.write_bytes(b"short")
    session.push(source, f"{tmp_path}/link")
    assert (tmp_path / "new").read_bytes() == b"short"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "new", "source"]


def test_push_refuses_what_is_no_file(session: Session, tmp_path: Path) -> None:
    cases = [(b"", str(tmp_path), "EISDIR"), (b"", "/dev/null", "EINVAL"), (b"", "/no/such/folder/x", "ENOENT")]
    for data, remote, reason in cases:
        with pytest.raises(TransferError, match=rf"^push {remote}: .*\({reason}\); "):
            session.push(data, remote)
    for local in (tmp_path, tmp_path / "missing", Path("/dev/zero")):
        with pytest.raises(TransferError, match=f"^push {local}: "):
            session.push(local, f"{tmp_path}/x")
    assert list(tmp_path.iterdir()) == []


def test_a_push_that_is_interrupted_leaves_the_old_file(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    push = encode_start(9, ["@write", str(target), "644"], "/", {}, 0) + encode(Type.STDIN, 9, b"half of the new")

    async def begin() -> None:
        session.channel._send(push)

    aio.call(begin())
    assert eventually(lambda: len(list(tmp_path.iterdir())) == 2)
    session.close()
    assert target.read_text() == "old"


def test_pull_gives_bytes_and_writes_a_regular_file(session: Session, tmp_path: Path) -> None:
    remote, local = tmp_path / "remote", tmp_path / "local"
    remote.write_bytes(os.urandom(MEGA))
    remote.chmod(0o4777)
    assert session.pull(str(remote), local) == remote.read_bytes() == local.read_bytes()
    assert local.stat().st_mode & 0o7777 == 0o644
    assert b"MemTotal" in session.pull("/proc/meminfo")


def test_pull_refuses(session: Session, tmp_path: Path) -> None:
    local = tmp_path / "link"
    local.symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="not a regular file"):
        session.pull("/proc/meminfo", local)
    with pytest.raises(TransferError, match=r"No such file or directory \(ENOENT\)") as caught:
        session.pull("/no/such/file")
    assert caught.value.errno == 2
    with pytest.raises(TransferError, match="more than 1000 bytes"):
        session.pull("/dev/zero", limit=1000)
    with pytest.raises(TransferError, match=r"ENOENT"):
        session.pull("/proc/meminfo", tmp_path / "no" / "folder")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert session.pull(str(fifo)) == b""
    with os.fdopen(os.open(fifo, os.O_RDWR), "wb", buffering=0) as writer:  # now reading would wait for it
        writer.write(b"until now")
        assert session.pull(str(fifo)) == b"until now"
        assert session.task(["@read", str(fifo)], cwd="/").errno == errno.EAGAIN


def test_snapshot_gathers_files_hidden_ones_too(session: Session, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "sections").mkdir(parents=True)
        (tmp_path / name / "sections" / ".text").write_text(f"text of {name}")
        (tmp_path / name / "size").write_bytes(b"\0" * 5)
    empty = tmp_path / "empty"
    empty.touch()
    found = session.snapshot([f"{tmp_path}/*/sections/*", f"{tmp_path}/*/size", str(empty), "/no/such", "/proc/uptime"])
    assert found.pop("/proc/uptime").count(b".") == 2
    assert found == {
        f"{tmp_path}/a/sections/.text": b"text of a",
        f"{tmp_path}/b/sections/.text": b"text of b",
        f"{tmp_path}/a/size": b"\0" * 5,
        f"{tmp_path}/b/size": b"\0" * 5,
        str(empty): b"",
    }


def test_load_and_delete_give_the_kernels_errno(session: Session, tmp_path: Path) -> None:
    """On the host only with what no kernel accepts; on a real machine the machine tests do it."""
    refused = session.push_and_load(b"not a module", f"{tmp_path}/x.ko", "size=1")
    assert refused.errno != 0
    assert not refused.ok
    assert (tmp_path / "x.ko").read_bytes() == b"not a module"
    assert session.load(f"{tmp_path}/x.ko").errno == refused.errno
    assert session.delete("kmodlab_no_such_module").errno != 0
    with pytest.raises(TransferError, match=r"No such file or directory \(ENOENT\)"):
        session.load(f"{tmp_path}/missing.ko")
    with pytest.raises(TransferError, match="ENOENT"):
        session.push_and_load(b"", "/no/such/folder/x.ko")


def test_an_agent_that_is_no_guest_s_sets_no_clock(session: Session) -> None:
    """It would be the clock of whoever runs the tests."""
    with pytest.raises(MachineLost, match="does not answer"):
        aio.call(identify(session.channel, timeout=0.2))
    aio.call(_tell(session, encode_identity(0)))
    assert int(session.run(["date", "+%s"], cwd="/").stdout) > 1_000_000


async def _tell(session: Session, frame: bytes) -> None:
    session.channel.tell(frame)
