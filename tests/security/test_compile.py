# SPDX-License-Identifier: MIT
"""Hostile sources through the whole of `kmodlab.build`: each ends in one sentence, in bounded time and memory.

What the sandbox itself lets through is held by ``tests/build/test_sandbox.py``.
"""

from __future__ import annotations

import dataclasses
import os
import resource
import socket
import time
from pathlib import Path

import pytest

from kmodlab.build.build import build
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.source import ModuleSource
from kmodlab.config import Settings
from kmodlab.errors import BuildError, SandboxError, UsageError

pytestmark = pytest.mark.build

HELLO = """
#include <linux/module.h>
static int __init hello_init(void) { return 0; }
module_init(hello_init);
MODULE_LICENSE("GPL");
"""

BOMB = (
    "#define A0 x x x x x x x x x x\n" + "".join(f"#define A{n + 1} {f'A{n} ' * 10}\n" for n in range(9)) + "int A9;\n"
)
DEEP = '#include "bomb.c"\n#include "bomb.c"\n'
ASM = 'asm(".section .data\\n.incbin \\"{}\\"\\n");\n'


def folder(place: Path, kbuild: str = "obj-m := hello.o\n", **files: str) -> ModuleSource:
    place.mkdir(parents=True, exist_ok=True)
    for name, text in {"hello.c": HELLO, "Kbuild": kbuild, **files}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return ModuleSource.from_path(place)


@pytest.fixture
def soon(own: Settings) -> Settings:
    """Builds that may take five seconds."""
    return dataclasses.replace(own, build_timeout=5)


def children_peak() -> int:
    """The largest resident memory of any process that was waited for, in MiB (``getrusage(2)``)."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10


SOURCES = {
    "zero": '#include "/dev/zero"\n',
    "random": '#include "/dev/urandom"\n',
    "bomb": BOMB,
    "itself": DEEP,
    "constexpr": "int x[__LINE__ ? 1 << 30 : 0] = { [0 ... (1 << 30) - 1] = 7 };\n",
    "asm_loop": 'asm(".rept 1000000000\\n.quad 1\\n.endr\\n");\n',
    "incbin_zero": ASM.format("/dev/zero"),
    "warnings": "#define W(n) int f##n(void) { char c = 1 << 40; }\n" + "#warning w\n" * 200_000,
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_without_end(kernel: KernelBuild, soon: Settings, name: str) -> None:
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BuildError) as caught:
        build(ModuleSource.from_text("bomb", SOURCES[name]), kernel, settings=soon)
    assert len(str(caught.value)) < 4000
    assert time.monotonic() - start < 30
    assert children_peak() < 1100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 512 << 10  # kB


def test_two_gigabytes_of_warnings(kernel: KernelBuild, own: Settings, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kbuild = 'obj-m := hello.o\n$(shell yes "hello.c:1:1: warning: and one more" | head -c 2G >&2)\n'
    with pytest.raises(SandboxError, match="printed more than 32 MiB and was stopped"):
        build(folder(tmp_path / "m", kbuild), kernel, settings=own)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 << 10  # kB


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/shadow", "/root/.bashrc", "/proc/1/environ", "/input.tar"])
def test_nothing_of_the_host_is_built_in(kernel: KernelBuild, own: Settings, path: str) -> None:
    """What /proc shows is the sandbox's own, and the archive is the source itself."""
    os.environ["KMODLAB_SECRET"] = "hunter2-of-the-host"
    try:
        built = build(ModuleSource.from_text("hello", HELLO + ASM.format(path)), kernel, settings=own)
    except BuildError as error:
        assert f"file not found: {path}" in str(error)
    else:
        data = built.path.read_bytes()
        assert b"hunter2" not in data
        assert b"root:x:0" not in data
    finally:
        del os.environ["KMODLAB_SECRET"]


@pytest.mark.parametrize(
    "kbuild",
    [
        "obj-m := ../../x.o\n",
        "obj-m := /etc/passwd.o\n",
        "obj-m := hello.o\nhello-objs := ../../../etc/x.o\n",
        "obj-m := ../\n",
        "obj-m := hello.o\ninclude /etc/passwd\n",
        "obj-m := hello.o\nsrctree := /tmp\noverride obj := /usr\n$(shell rm -rf / 2>/dev/null)\n",
    ],
)
def test_a_kbuild_that_leads_out(kernel: KernelBuild, soon: Settings, tmp_path: Path, kbuild: str) -> None:
    (tmp_path / "x.c").write_text(HELLO)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises((BuildError, UsageError)):
        build(folder(tmp_path / "a" / "m", kbuild), kernel, settings=soon)
    assert all(path.stat().st_mtime_ns == changed for path, changed in before.items() if path.is_file())
    left = {path.name for path in tmp_path.rglob("*") if "cache" not in path.parts}
    assert left <= {"x.c", "a", "m", "hello.c", "Kbuild"}


def test_links_and_devices_in_a_folder(kernel: KernelBuild, own: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "secret.h"
    secret.write_text("#error the secret\n")
    place = tmp_path / "m"
    folder(place)
    (place / "secret.h").symlink_to(secret)
    (place / "passwd.h").symlink_to("/etc/passwd")
    (place / "etc").symlink_to("/etc")
    (place / "loop").symlink_to(place)
    (place / "self.h").symlink_to("self.h")
    os.mkfifo(place / "pipe.h")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "socket.h"))
    if os.geteuid() == 0:
        os.mknod(place / "zero.h", 0o20666, os.makedev(1, 5))
    source = ModuleSource.from_path(place)
    assert set(source.files) == {"hello.c", "Kbuild"}
    assert build(source, kernel, settings=own).file.name == "hello"


def test_includes_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "self.h").symlink_to("self.h")
    (tmp_path / "out.h").symlink_to("/etc/passwd")
    names = ("self.h", "out.h", "x" * 300, "../up.h", "/etc/passwd", "/dev/zero", "\\udcff", "a/" * 3000)
    (tmp_path / "hello.c").write_text("".join(f'#include "{name}"\n' for name in names) + HELLO)
    assert set(ModuleSource.from_path(tmp_path / "hello.c").files) == {"hello.c", "Kbuild"}


def test_a_link_in_place_of_the_kbuild_or_the_source(tmp_path: Path) -> None:
    (tmp_path / "outside.c").write_text(HELLO)
    folder(tmp_path / "m")
    (tmp_path / "m" / "hello.c").unlink()
    (tmp_path / "m" / "hello.c").symlink_to("../outside.c")
    assert "hello.c" not in ModuleSource.from_path(tmp_path / "m").files
    (tmp_path / "m" / "Kbuild").unlink()
    (tmp_path / "m" / "Kbuild").symlink_to("/dev/zero")
    with pytest.raises(UsageError):
        ModuleSource.from_path(tmp_path / "m")


def test_a_build_reaches_no_network(kernel: KernelBuild, own: Settings, tmp_path: Path) -> None:
    """Neither a port of this host nor a name; a socket in the abstract namespace neither."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0kmodlab-{os.getpid()}")
        abstract.listen()
        for server in (tcp, abstract):
            server.settimeout(0.01)
        port = tcp.getsockname()[1]
        script = (
            f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached; exec 3<>/dev/udp/1.1.1.1/53 && echo sent; "
            f'python3 -c \'import socket; socket.socket(socket.AF_UNIX).connect(chr(0) + "kmodlab-{os.getpid()}"); '
            'print("reached")\''
        )
        source = folder(
            tmp_path / "m",
            "obj-m := hello.o\n$(info got: $(shell bash ./try 2>&1))\n$(error enough)\n",
            **{"try": script},
        )
        with pytest.raises(BuildError) as caught:
            build(source, kernel, settings=own)
        for server in (tcp, abstract):
            with pytest.raises(TimeoutError):
                server.accept()
    assert "reached" not in caught.value.output.replace('print("reached")', "")
    assert "sent" not in caught.value.output


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (":(){ :|:& };:; wait", ""),
        ("for i in $$(seq 100000); do setsid sleep 100 & done; wait", ""),
        ("head -c 400M /dev/zero | split -b 30M - part", "filled the build folder"),
        ("while :; do mkdir d && cd d; done", ""),
        ("for i in $$(seq 3000000); do : >f$$i; done", ""),
        ("tail /dev/zero", ""),
        ("kill -9 -1", ""),
    ],
)
def test_a_kbuild_that_wants_all_of_it(
    kernel: KernelBuild, own: Settings, tmp_path: Path, command: str, says: str
) -> None:
    kbuild = f"obj-m := hello.o\n$(shell cd $(M); {command} >&2)\n$(error enough)\n"
    start = time.monotonic()
    with pytest.raises(BuildError) as caught:
        build(folder(tmp_path / "m", kbuild), kernel, settings=dataclasses.replace(own, build_timeout=4))
    assert says in str(caught.value)
    assert time.monotonic() - start < 20
