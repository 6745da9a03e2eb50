# SPDX-License-Identifier: MIT
"""The frozen machine: made once, noticed when damaged, never half."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kmodlab
from kmodlab import process
from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.errors import BootTimeout, HostSetupError, ImageError, MachineError
from kmodlab.machine import frozen as memory_files
from kmodlab.machine import provision, template
from kmodlab.machine.cpio import initramfs
from kmodlab.machine.image import GuestImage, ensure_image
from kmodlab.machine.qemu import Hardware
from kmodlab.machine.template import Template, ensure_template, find_template

pytestmark = pytest.mark.machine


@pytest.fixture
def own(frozen: KernelBuild, tmp_path: Path) -> Iterator[Template]:
    """A copy of the default template in a folder of its own, to be damaged."""
    chosen = settings()
    known = provision.template(frozen, chosen.memory, chosen.cpus)
    folder = tmp_path / "templates" / known.folder.name
    process.run(["cp", "-r", "--sparse=always", known.folder, tmp_path], timeout=60)
    folder.parent.mkdir()
    (tmp_path / known.folder.name).rename(folder)
    yield dataclasses.replace(known, folder=folder)
    descriptor = template._memories.pop(folder, None)
    if descriptor is not None:
        os.close(descriptor)


def test_a_whole_one_loads(own: Template) -> None:
    assert own.is_whole()
    assert os.fstat(own.memory()).st_size == own.hardware.memory << 20


@pytest.mark.parametrize("name", ["memory", "state"])
def test_a_truncated_file_is_noticed(own: Template, name: str) -> None:
    os.truncate(own.folder / name, (own.folder / name).stat().st_size // 2)
    assert not own.is_whole()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"memory": "x"}'])
def test_a_damaged_manifest_is_noticed(own: Template, text: str) -> None:
    (own.folder / "template.json").write_text(text)
    assert not own.is_whole()


def test_damaged_memory_is_noticed(own: Template) -> None:
    with (own.folder / "memory").open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"damage")
    with pytest.raises(ImageError, match="damaged"):
        own.memory()
    assert not own.is_whole()


def test_a_checksum_tells_where_content_lies(tmp_path: Path) -> None:
    sums = set()
    for place in (0, 1 << 20):
        fd = memory_files.new_memory(4)
        os.pwrite(fd, b"content", place)
        sums.add(memory_files.save(fd, tmp_path / "memory"))
        os.close(fd)
    assert len(sums) == 2


def test_saved_memory_comes_back(tmp_path: Path) -> None:
    fd = memory_files.new_memory(8)
    os.pwrite(fd, b"content", 5 << 20)
    total = memory_files.save(fd, tmp_path / "memory")
    assert (tmp_path / "memory").stat().st_blocks * 512 < 1 << 20
    back = memory_files.load_sealed(tmp_path / "memory", total)
    assert os.pread(back, 8 << 20, 0) == os.pread(fd, 8 << 20, 0)
    os.close(fd)
    os.close(back)


def _broken(image: GuestImage, folder: Path, init: bytes) -> GuestImage:
    """A copy of an image whose first program is another."""
    folder.mkdir()
    (folder / "root.squashfs").symlink_to(image.root)
    (folder / "initramfs.cpio").write_bytes(initramfs({"init": (init, 0o755)}))
    return GuestImage(folder)


def _program(text: str, folder: Path) -> bytes:
    (folder / "init.c").write_text(text)
    subprocess.run(["musl-gcc", "-static", "-o", folder / "init", folder / "init.c"], check=True)
    return (folder / "init").read_bytes()


@pytest.mark.slow
def test_a_guest_that_hangs_while_it_boots(frozen: KernelBuild, tmp_path: Path) -> None:
    forever = _program("#include <unistd.h>\nint main(void) { for (;;) pause(); }\n", tmp_path)
    image = _broken(ensure_image(frozen), tmp_path / "hangs", forever)
    wanted = find_template(frozen, image, Hardware(frozen.arch))
    with pytest.raises(BootTimeout, match="no answer in time") as caught:
        ensure_template(frozen, image, Hardware(frozen.arch), boot_timeout=12)
    assert any("Run /init" in line for line in caught.value.console)
    assert not wanted.folder.exists()


def test_a_guest_that_panics_while_it_boots(frozen: KernelBuild, tmp_path: Path) -> None:
    image = _broken(ensure_image(frozen), tmp_path / "panics", _program("int main(void) { return 1; }\n", tmp_path))
    with pytest.raises(MachineError, match="boot the machine: .*; ./lab doctor"):
        ensure_template(frozen, image, Hardware(frozen.arch), boot_timeout=60)


def test_no_qemu(frozen: KernelBuild, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process, "which", lambda name: None)
    with pytest.raises(HostSetupError, match=r"find QEMU: not installed; run ./lab setup"):
        kmodlab.Machine(frozen).start()


def test_two_processes_make_one_template(frozen: KernelBuild) -> None:
    """An unusual size, wanted by two at once: one boots, the other waits for it, both work."""
    code = "import kmodlab; vm = kmodlab.Machine(memory=192).start(); print(vm.run('echo ok').stdout); vm.kill()"
    image = ensure_image(frozen)
    accelerator = provision.accelerator.verdict() or "tcg"
    folder = find_template(frozen, image, Hardware(frozen.arch, accelerator, settings().cpus, 192)).folder
    process.run(["rm", "-rf", folder], timeout=60)
    owners = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for owner in owners:
        with owner:
            assert owner.communicate(timeout=120)[0].strip() == "ok"
    assert json.loads((folder / "template.json").read_text())["memory"]
