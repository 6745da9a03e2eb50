# SPDX-License-Identifier: MIT
"""The compile sandbox: what runs inside reaches nothing of the host, is stopped at each limit, and leaves nothing."""

from __future__ import annotations

import dataclasses
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmodlab.build.sandbox import Job, Limits, Sandbox, bubblewrap, landlock
from kmodlab.build.sandbox import open as unshut
from kmodlab.errors import SandboxError
from tests.conftest import needs

pytestmark = pytest.mark.build

MARK = secrets.token_hex(8)
"""In the environment of every job here, by which its processes are told from those of others."""


@pytest.fixture(params=["chosen", "namespace", "landlock", "landlock-1", "open"])
def inside(request: pytest.FixtureRequest, sandbox: Sandbox) -> Sandbox:
    """Each way into the sandbox that this host allows."""
    if request.param == "chosen":
        return sandbox
    if request.param.startswith("landlock"):
        with needs("build"):
            return landlock.probe(1 if request.param.endswith("-1") else 99)
    if request.param == "open":
        with needs("build"):
            way = unshut.probe()
        if not way.own_user:
            pytest.skip("what these jobs do, they would do to whoever runs the tests")
        return way
    space = bubblewrap.Bubblewrap(namespace=True)
    if space == sandbox:
        pytest.skip("that is the chosen one")
    try:
        space.run(Job("try", ("true",), {}))
    except SandboxError as error:
        pytest.skip(str(error))
    return space


@pytest.fixture
def rooted(inside: Sandbox) -> Sandbox:
    """Each way that gives the job a root of its own; of the others, see test_landlock.py."""
    if inside.in_place:
        pytest.skip("it works with files where they lie")
    return inside


def shell(line: str, **changes: object) -> Job:
    return dataclasses.replace(Job("try it", ("bash", "-c", line), {}, env={"MARK": MARK}), **changes)  # type: ignore[arg-type]


def small(**limits: float) -> Limits:
    return dataclasses.replace(Limits(wall=30), **limits)  # type: ignore[arg-type]


def test_files_go_in_and_results_come_out(inside: Sandbox) -> None:
    job = shell(
        "cat 'a b.c' sub/d.c; mkdir out; echo one >out/x.ko; "
        "ln -s /etc/passwd y.ko; mkfifo z.ko; ln out/x.ko out/w.ko; exit 3",
        files={"a b.c": b"A\n", "sub/d.c": b"\xff\0\n", "-rf": b"", "großes.h": b""},
        results=("*.ko", "-rf", "gro*"),
    )
    outcome = inside.run(job)
    assert outcome.exit_status == 3
    assert outcome.output == "A\n\ufffd\0\n"
    assert dict(outcome.files) == {"out/x.ko": b"one\n", "out/w.ko": b"one\n", "-rf": b"", "großes.h": b""}


def test_results_that_are_named_in_full(inside: Sandbox) -> None:
    line = "mkdir out d.o; echo one >a.ko; echo no >out/b.ko; ln -s a.ko l.ko; ln a.ko h.ko"
    names = ("a.ko", "b.ko", "d.o", "l.ko", "h.ko", "nowhere.ko")
    assert dict(inside.run(shell(line, results=names)).files) == {"a.ko": b"one\n", "h.ko": b"one\n"}
    assert dict(inside.run(shell("true", results=names[:1])).files) == {}


def test_a_narrow_one_shows_the_compiler_s_folders_only(rooted: Sandbox) -> None:
    line = "gcc -x c -c -o x.o /dev/null && ld -r -o y.o x.o && readelf -h y.o >/dev/null && ls /usr /usr/lib"
    outcome = rooted.run(shell(line, narrow=True))
    assert outcome.exit_status == 0, outcome.output
    names = set(outcome.output.split()) - {"/usr:", "/usr/lib:"}
    assert {"bin", "lib", "gcc"} <= names
    compilers = {"bin", "lib", "gcc", "gcc-cross", "lib64", "libexec"}
    assert not [name for name in names - compilers if "-linux-" not in name]


def test_more_than_a_pipe_holds_goes_in_and_out(inside: Sandbox) -> None:
    content = os.urandom(3 << 20)
    outcome = inside.run(shell("cp a b.ko; head -c 2000000 /dev/zero", files={"a": content}, results=("*.ko",)))
    assert outcome.files == {"b.ko": content}
    assert len(outcome.output) == 2_000_000


def test_nothing_of_the_host_is_there(rooted: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    line = (
        f"ls / /etc; cat {tmp_path}/secret /etc/passwd /etc/shadow; ls /root /home /var /sys /run /usr/local; env; id"
    )
    output = rooted.run(shell(line)).output
    names = set(output.partition("/etc:")[0].split())
    assert names <= {
        "/:",
        "bin",
        "build",
        "dev",
        "etc",
        "input.tar",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "proc",
        "sbin",
        "tmp",
        "usr",
    }
    assert output.count("No such file or directory") == 9
    assert "secret\n" not in output
    assert "uid=0" not in output
    assert all(name in output for name in ("PATH=/usr/bin:/bin", "HOME=/build"))
    assert not any(name in output for name in ("KMODLAB", "PYTHONPATH", "SSH_", "USER="))


def test_there_are_no_capabilities_no_network_and_no_other_processes(rooted: Sandbox) -> None:
    output = rooted.run(
        shell(
            "grep -E '^(CapEff|CapPrm|CapAmb|CapInh|NoNewPrivs)' /proc/self/status; "
            "cat /proc/net/dev; ls -d /proc/[0-9]*"
        )
    ).output
    assert output.count("0000000000000000") == 4
    assert "NoNewPrivs:\t1" in output
    assert [line.split(":")[0].strip() for line in output.splitlines() if ":" in line and "|" not in line][5:] == ["lo"]
    assert max(int(word.removeprefix("/proc/")) for word in output.split() if word.startswith("/proc/")) < 50


def test_only_the_build_folder_can_be_written(rooted: Sandbox) -> None:
    line = (
        "for f in / /usr /usr/lib /etc /dev /dev/shm /proc /usr/bin /input.tar; do "
        "touch $f/x && echo $f is open; done; : >/usr/bin/cc"
    )
    output = rooted.run(shell(f"({line}) 2>&1; touch /build/x /tmp/y && echo done >/dev/null && echo good")).output
    assert "is open" not in output
    assert output.endswith("good\n")


@pytest.mark.parametrize(
    ("line", "limits", "says"),
    [
        ("sleep 60", {"wall": 0.7}, "still running after 1 s"),
        ("while :; do :; done", {"cpu": 1, "wall": 20}, "more than 1 s of processor time"),
        ("cat /dev/zero >big", {"file_size": 5 << 20}, "a file larger than 5 MiB"),
        (
            "for i in 1 2 3 4 5 6 7 8 9; do head -c 1M /dev/zero >f$i || exit; done",
            {"space": 5 << 20},
            "filled the build folder (5 MiB)",
        ),
        ("cat /dev/zero", {"output": 1 << 20}, "printed more than 1 MiB"),
        ("echo 'int x;' >x.c; gcc -c x.c", {"memory": 40 << 20}, "more than 40 MiB of memory"),
        ("sh -c 'while sleep 60 & do :; done'", {"processes": 20}, "more than 20 processes"),
        # bash tries again, and again, whenever one of them has ended.
        (
            "exec 9<> <(:); for i in {1..200}; do sleep 2 & read -t 0.1 -u 9; done; wait",
            {"processes": 10, "wall": 5},
            "more than 10 processes",
        ),
        (":(){ :|:& };:; sleep 20", {"processes": 20, "wall": 3}, ""),
    ],
)
def test_each_limit_stops_the_job_in_one_sentence(
    inside: Sandbox, line: str, limits: dict[str, float], says: str
) -> None:
    if "processes" in limits and os.geteuid() == 0 and inside == bubblewrap.Bubblewrap(namespace=True):
        pytest.skip("the kernel does not apply this limit to root, which therefore uses the other way")
    start = time.monotonic()
    with pytest.raises(SandboxError) as caught:
        inside.run(shell(line, limits=small(**limits)))
    assert str(caught.value).startswith("try it: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < 25
    wait_for(lambda: not any(alive()))


def test_results_larger_than_the_limit_are_refused(inside: Sandbox) -> None:
    with pytest.raises(SandboxError, match="more than 1 MiB"):
        inside.run(shell("head -c 2M /dev/zero >a.ko", results=("*.ko",), limits=small(output=1 << 20)))


def test_a_process_left_in_the_background_ends_with_the_job(inside: Sandbox) -> None:
    start = time.monotonic()
    outcome = inside.run(shell("setsid sleep 30 & echo started"))
    assert (outcome.exit_status, outcome.output) == (0, "started\n")
    assert time.monotonic() - start < 10
    wait_for(lambda: not any(alive()))


def test_what_a_job_fakes_on_its_way_out_is_only_its_own_loss(inside: Sandbox) -> None:
    for line in ("kill -9 $PPID", "echo rubbish >/proc/$PPID/fd/3", "rm -rf /build/* /build/.tmp; kill -9 -1"):
        try:
            outcome = inside.run(shell(line, results=("*.ko",)))
        except SandboxError as error:
            assert "\n" not in str(error)
        else:
            assert not outcome.files


def test_quoted_text_does_not_pass_for_a_limit(inside: Sandbox) -> None:
    line = """echo '   3 | pr_err("%d: No space left on device");'; echo 'x: Killed'; exit 1"""
    assert inside.run(shell(line)).exit_status == 1


OWNER = """
import sys
from kmodlab.build.sandbox import Job, choose
print("go", flush=True)
choose().run(Job("try", ("sleep", "60"), {}, env={"MARK": sys.argv[1]}))
"""


def alive() -> Iterator[int]:
    """The processes of this file's jobs, bwrap itself included: its arguments hold the mark."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            text = (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
        except OSError:
            continue
        if MARK.encode() in text and b"OWNER" not in text and b"Job(" not in text:
            yield int(path.name)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_job_ends_with_its_owner_however_that_ends(sandbox: Sandbox, how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, MARK], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == b"go\n"
        wait_for(lambda: len(list(alive())) > 2)
        owner.send_signal(how)
        owner.wait()
    wait_for(lambda: not any(alive()))


def wait_for(condition: object, seconds: float = 10) -> None:
    """Look until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        os.sched_yield()


def test_where_it_cannot_be_entered_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid user id stands for a host that forbids namespaces: bwrap refuses both in the same way."""
    monkeypatch.setattr(
        bubblewrap.Bubblewrap, "_enter", lambda *_: iter(("bwrap", "--uid", "-3", "--unshare-user", "--"))
    )
    with pytest.raises(
        SandboxError, match=r"enter the compile sandbox: bwrap: .*; run as root, or ask the administrator"
    ):
        bubblewrap.Bubblewrap(namespace=True).run(shell("true"))
