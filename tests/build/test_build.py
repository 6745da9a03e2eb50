# SPDX-License-Identifier: MIT
"""Builds by the kernel's own build system: what beginners write, what hostile sources try, and the cache."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.build import build
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.program import build_program
from kmodlab.build.source import ModuleSource
from kmodlab.config import Settings
from kmodlab.errors import BuildError, CompileError, HostSetupError, ModpostError, SandboxError, UsageError
from kmodlab.resources import resource

pytestmark = pytest.mark.build

HELLO = """\
#include <linux/init.h>
#include <linux/module.h>
{top}
static int __init hello_init(void)
{{
{body}
	return 0;
}}
static void __exit hello_exit(void) {{ }}
module_init(hello_init);
module_exit(hello_exit);
MODULE_DESCRIPTION("d");
MODULE_LICENSE("GPL");
"""


def hello(body: str = "", top: str = "", **place: object) -> ModuleSource:
    return ModuleSource.from_text("hello", HELLO.format(body=body, top=top), **place)  # type: ignore[arg-type]


def version_of(kernel: KernelBuild) -> tuple[int, ...]:
    return tuple(int(part) for part in kernel.series.split("."))


def folder(place: Path, **files: str) -> ModuleSource:
    place.mkdir()
    for name, text in files.items():
        (place / name.replace("__", ".")).write_text(text)
    return ModuleSource.from_path(place)


def test_a_module_is_built_for_the_kernel_that_was_named(kernel: KernelBuild, own: Settings) -> None:
    built = build(hello('	pr_info("größe →\\n");'), kernel, settings=own)
    assert (built.name, built.how, built.release, built.diagnostics, built.others) == (
        "hello",
        "fast",
        kernel.release,
        (),
        (),
    )
    assert built.path.name == "hello.ko"
    assert built.file.name == "hello"
    assert built.file.info("vermagic")[0].split()[0] == kernel.release
    assert b".debug_info" in built.path.read_bytes(), "debug information is kept"
    assert "größe →".encode() in built.path.read_bytes()
    assert str(built).startswith(f"hello.ko for {kernel.release}: built in ")


def test_the_same_source_gives_the_same_bytes(kernel: KernelBuild, own: Settings) -> None:
    first = build(hello(), kernel, settings=own)
    again = build(hello(), kernel, settings=own, force=True)
    other = build(hello(), kernel, settings=dataclasses.replace(own, cache=own.cache / "other"))
    assert [one.how for one in (first, again, other)] == ["fast"] * 3
    assert first.checksum == again.checksum == other.checksum


def test_an_unchanged_source_comes_out_of_the_cache_at_once_with_its_warnings(
    kernel: KernelBuild, own: Settings
) -> None:
    first = build(hello("	int unused;"), kernel, settings=own)
    start = time.perf_counter()
    moved = build(hello("	int unused;", filename="In [5]", first_line=3), kernel, settings=own)
    seconds = time.perf_counter() - start
    assert (moved.how, moved.path, moved.checksum) == ("cache", first.path, first.checksum)
    assert [item.where for item in first.diagnostics] == ["hello.c:6:6"]
    assert [item.where for item in moved.diagnostics] == ["In [5]:8:6"], "shown where the cell has it now"
    assert first.diagnostics[0].option == "-Wunused-variable"
    assert seconds < 0.1, "0.02 on an idle machine"
    assert build(hello("	int other;"), kernel, settings=own).how == "fast"


@pytest.mark.parametrize("damage", [lambda path: os.truncate(path, 1000), lambda path: path.unlink()])
def test_a_damaged_cache_is_noticed_and_mended(kernel: KernelBuild, own: Settings, damage: object) -> None:
    first = build(hello(), kernel, settings=own)
    damage(first.path)  # type: ignore[operator]
    again = build(hello(), kernel, settings=own)
    assert (again.how, again.checksum) == ("fast", first.checksum)
    assert build(hello(), kernel, settings=own).how == "cache"


@pytest.mark.parametrize(
    ("body", "top", "kind", "where", "hint"),
    [
        ("	int x = 1", "", CompileError, "In [2]:9:2", "a ; or a bracket is missing"),
        ('	printf("hi");', "", CompileError, "In [2]:8:2", "use pr_info()"),
        ("	void *p = kmalloc(1, 2);", "", CompileError, "In [2]:8:12", "#include <linux/slab.h>"),
        ("	void *p = vmalloc(1);", "", CompileError, "In [2]:8:12", "#include <linux/vmalloc.h>"),
        (
            "	return no_such();",
            "extern int no_such(void);",
            ModpostError,
            "In [2]:8",
            "no part of the kernel offers no_such",
        ),
        ("", '#include "/etc/passwd"', CompileError, "In [2]:5:10", "nothing else of this computer"),
        ("", 'asm(".incbin \\"/etc/shadow\\"");', CompileError, "In [2]: ", "nothing else of this computer"),
        ("	pr_info(“hi”);", "", CompileError, "In [2]:8:10", "copied from a web page"),
        ("", "#error no", CompileError, "In [2]:5:2", ""),
    ],
)
def test_a_cell_that_cannot_be_built_says_why_at_its_own_line(
    kernel: KernelBuild, own: Settings, body: str, top: str, kind: type[BuildError], where: str, hint: str
) -> None:
    if "slab.h" in hint and version_of(kernel) >= (6, 12):
        pytest.skip("linux/module.h brings linux/slab.h along in this kernel")
    with pytest.raises(BuildError) as caught:
        build(hello(body, top, filename="In [2]", first_line=3), kernel, settings=own)
    error = caught.value
    assert type(error) is kind
    assert str(error).startswith(f"build hello: {where}")
    assert hint in str(error)
    assert error.diagnostics
    assert error.output
    assert "/build" not in str(error)
    assert len(str(error).splitlines()) <= 5
    assert not list(own.cache.glob("modules/*")), "a failure leaves nothing"
    assert build(hello(), kernel, settings=own).how == "fast", "and the next build works"


def test_a_module_without_a_licence_is_refused_in_one_sentence(kernel: KernelBuild, own: Settings) -> None:
    text = HELLO.format(body="", top="").replace('MODULE_LICENSE("GPL");', "")
    with pytest.raises(ModpostError, match=r"missing MODULE_LICENSE\(\)") as caught:
        build(ModuleSource.from_text("hello", text), kernel, settings=own)
    assert 'write MODULE_LICENSE("GPL");' in str(caught.value)


def test_a_gpl_symbol_in_a_closed_module_is_refused_at_the_licence(kernel: KernelBuild, own: Settings) -> None:
    text = HELLO.format(body="	rcu_read_unlock_strict_no();", top="").replace('"GPL"', '"Proprietary"')
    text = text.replace("rcu_read_unlock_strict_no()", "synchronize_rcu()")
    with pytest.raises(ModpostError, match="GPL-only symbol 'synchronize_rcu'") as caught:
        build(ModuleSource.from_text("hello", text), kernel, settings=own)
    assert caught.value.diagnostics[0].source == 'MODULE_LICENSE("Proprietary");'


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("static int __init go(void)\n{\n\treturn 0;\n}\n", 2, "write module_init(go); below"),
        ("int init_it(void) { return 0; }\n", 2, "write module_init(init_it); below"),
        ("int main(void) { return 0; }\n", 2, "a kernel module has no main()"),
        ("int x;\n", None, "module_init(hello_init);"),
    ],
)
def test_a_cell_without_module_init_is_refused(
    kernel: KernelBuild, own: Settings, text: str, line: int | None, hint: str
) -> None:
    source = ModuleSource.from_text("hello", f'#include <linux/module.h>\n{text}MODULE_LICENSE("GPL");\n')
    with pytest.raises(CompileError, match=r"no module_init\(\): the module would load and do nothing") as caught:
        build(source, kernel, settings=own)
    (error,) = [item for item in caught.value.diagnostics if item.severity == "error"]
    assert error.line == line
    assert hint in error.hint


def test_module_init_may_hide_in_a_macro_and_a_library_needs_none(kernel: KernelBuild, own: Settings) -> None:
    driver = """
        #include <linux/module.h>
        #include <linux/platform_device.h>
        static struct platform_driver it = { .driver.name = "it" };
        module_platform_driver(it);
        MODULE_LICENSE("GPL");
    """
    library = """
        #include <linux/module.h>
        int answer(void);
        int answer(void) { return 42; }
        EXPORT_SYMBOL(answer);
        MODULE_LICENSE("GPL");
    """
    assert build(ModuleSource.from_text("driver", driver), kernel, settings=own).name == "driver"
    assert [
        export.name for export in build(ModuleSource.from_text("lib", library), kernel, settings=own).file.exports
    ] == ["answer"]


def test_several_files_make_one_module(kernel: KernelBuild, own: Settings, tmp_path: Path) -> None:
    source = folder(
        tmp_path / "m",
        Kbuild="obj-m := both.o\nboth-y := main.o part.o\n",
        main__c=HELLO.format(top='#include "part.h"', body="	return part();"),
        part__c='#include "part.h"\nint part(void) { int unused; return 0; }\n',
        part__h="int part(void);\n",
    )
    built = build(source, kernel, settings=own)
    assert (built.name, built.file.name) == ("both", "both")
    assert [item.where for item in built.diagnostics] == ["part.c:2:22"]


def test_several_modules_of_one_folder_come_in_its_order(kernel: KernelBuild, own: Settings) -> None:
    built = build(ModuleSource.from_path(resource("lab_modules") / "exporter"), kernel, settings=own)
    assert [one.name for one in (built, *built.others)] == ["exporter", "importer"]
    assert {export.name for export in built.file.exports} & set(built.others[0].file.imports)


def test_a_makefile_that_is_also_meant_for_make_alone_works(kernel: KernelBuild, own: Settings, tmp_path: Path) -> None:
    makefile = """\
obj-m += hello.o
KDIR ?= /lib/modules/$(shell uname -r)/build
all:
	make -C $(KDIR) M=$(PWD) modules
clean:
	make -C $(KDIR) M=$(PWD) clean
"""
    source = folder(tmp_path / "m", Makefile=makefile, hello__c=HELLO.format(top="", body=""))
    assert build(source, kernel, settings=own).file.info("vermagic")[0].startswith(kernel.release)


@pytest.mark.parametrize(
    ("kbuild", "kind", "says"),
    [
        ("obj-m := hello.o\nnonsense here\n", BuildError, "Kbuild:2: error: missing separator"),
        ("obj-m := helo.o\n", BuildError, "there is no helo.c"),
        ("obj-m := hello.o\n$(error stop here)\n", BuildError, "Kbuild:2: error: stop here"),
        ("obj-m :=\n", BuildError, "obj-m in the Kbuild is empty"),
        (
            "obj-m := hello.o\nccflags-y := -Wno-such-thing -fno-such-thing\n",
            CompileError,
            "unrecognized command-line option",
        ),
        ("obj-m := hello.o\nccflags-y := -Werror\n", CompileError, "unused variable 'n'"),
    ],
)
def test_a_kbuild_that_is_wrong_says_where(
    kernel: KernelBuild, own: Settings, tmp_path: Path, kbuild: str, kind: type[BuildError], says: str
) -> None:
    source = folder(tmp_path / "m", Kbuild=kbuild, hello__c=HELLO.format(top="", body="	int n;"))
    with pytest.raises(BuildError) as caught:
        build(source, kernel, settings=own)
    assert type(caught.value) is kind
    assert says in str(caught.value)


def test_a_kbuild_runs_its_commands_only_inside(kernel: KernelBuild, own: Settings, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    kbuild = (
        f"$(info passwd: $(shell cat /etc/passwd {tmp_path}/m/hello.c; ls /home /root /work; hostname))\n"
        f"$(shell touch {marker} /usr/bin/cc)\nobj-m := hello.o\n$(error enough)\n"
    )
    source = folder(tmp_path / "m", Kbuild=kbuild, hello__c=HELLO.format(top="", body=""))
    with pytest.raises(BuildError) as caught:
        build(source, kernel, settings=own)
    found = re.search(r"^passwd: (.*)$", caught.value.output, re.MULTILINE)
    assert found
    assert found[1] in {"kmodlab", os.uname().nodename}, "the last command's output and nothing besides"
    assert not marker.exists()


def test_a_build_that_fills_the_disk_or_never_ends_is_stopped(
    kernel: KernelBuild, own: Settings, tmp_path: Path
) -> None:
    with pytest.raises(SandboxError, match=r"^build hello: it wrote a file larger than 64 MiB"):
        build(ModuleSource.from_text("hello", "char x[1 << 28] = { 1 };\n"), kernel, settings=own)
    endless = folder(tmp_path / "end", Kbuild="obj-m := hello.o\n$(shell sleep 100)\n", hello__c="int x;")
    with pytest.raises(SandboxError, match="still running after 2 s"):
        build(endless, kernel, settings=dataclasses.replace(own, build_timeout=2))


def test_a_compiler_that_is_not_there_is_named(kernel: KernelBuild, own: Settings, tmp_path: Path) -> None:
    place = tmp_path / "usr" / "src" / f"linux-headers-{kernel.release}"
    place.mkdir(parents=True)
    other = dataclasses.replace(kernel, root=tmp_path)
    with pytest.raises(HostSetupError, match=r"its headers are not there; \./lab setup"):
        build(hello(), other, settings=own)
    (place / "Makefile").write_text("")
    (place / ".kernelvariables").write_text("CC = $(CROSS_COMPILE)gcc-97\n")
    with pytest.raises(HostSetupError, match="gcc-97 not installed; apt-get install gcc-97"):
        build(hello(), other, settings=own)


def test_builds_at_once_do_not_disturb_each_other(kernel: KernelBuild, own: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(build, hello(f"	int n{number % 2};"), kernel, settings=own) for number in range(4)]
        built = [job.result() for job in jobs]
    assert built[0].checksum == built[2].checksum
    assert built[1].checksum == built[3].checksum
    assert all(one.file.name == "hello" for one in built)
    assert len(list((own.cache / "modules").iterdir())) == 2


BUILDER = """
import dataclasses, sys
from pathlib import Path
import kmodlab
from kmodlab.build.build import build
from kmodlab.build.source import ModuleSource
from kmodlab.host.kernels import default_kernel
own = dataclasses.replace(kmodlab.settings(), cache=Path(sys.argv[1]))
kernel, source = default_kernel(), ModuleSource.from_path(sys.argv[2])
print("go", flush=True)
while True:
    build(source, kernel, settings=own, force=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_at_any_moment_leaves_no_half_entry(
    kernel: KernelBuild, own: Settings, tmp_path: Path, how: signal.Signals
) -> None:
    (tmp_path / "hello.c").write_text(HELLO.format(top="", body=""))
    modules = own.cache / "modules"
    for delay in (0.0, 0.05, 0.3, 0.9, 1.3):
        command = [sys.executable, "-c", BUILDER, str(own.cache), str(tmp_path / "hello.c")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            assert child.stdout
            assert child.stdout.readline() == b"go\n"
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(delay)
            child.send_signal(how)
            child.wait(20)
        left = [path.name for path in modules.iterdir()] if modules.exists() else []
        assert how == signal.SIGKILL or not [name for name in left if name.startswith(".")]
        assert len([name for name in left if not name.startswith(".")]) <= 1
    assert build(ModuleSource.from_path(tmp_path / "hello.c"), kernel, settings=own).file.name == "hello"


def test_a_program_for_the_guest_is_static_and_cached(own: Settings, tmp_path: Path) -> None:
    (tmp_path / "it.h").write_text("#define WORD 7\n")
    (tmp_path / "it.c").write_text(
        '#include <linux/ioctl.h>\n#include "it.h"\nint main(void) { return WORD + _IOC_NONE; }\n'
    )
    path = build_program(tmp_path / "it.c", includes=[tmp_path], settings=own)
    assert subprocess.run([path], check=False).returncode == 7
    assert b"INTERP" not in subprocess.run(["readelf", "-lW", path], capture_output=True, check=True).stdout
    changed = path.stat().st_mtime_ns
    assert build_program(tmp_path / "it.c", includes=[tmp_path], settings=own) == path
    assert path.stat().st_mtime_ns == changed
    (tmp_path / "it.h").write_text("#define WORD 8\n")
    assert build_program(tmp_path / "it.c", includes=[tmp_path], settings=own) != path


def test_a_program_that_is_wrong_says_where(own: Settings) -> None:
    with pytest.raises(CompileError, match=r"build it: it\.c:1:25: error: 'zero' undeclared"):
        build_program("int main(void) { return zero; }", name="it", settings=own)
    with pytest.raises(CompileError, match=r"passwd"):
        build_program('#include "/etc/passwd"\n', name="it", settings=own)
    with pytest.raises(UsageError, match="not a plain file name"):
        build_program("int main(void) { return 0; }", name="../it", settings=own)


def test_the_package_itself_is_the_public_function(kernel: KernelBuild) -> None:
    built = kmodlab.build(resource("lab_modules") / "hello", kernel)
    assert built.name == "hello"
    assert kmodlab.build(resource("lab_modules") / "hello" / "hello.c", kernel).name == "hello"
