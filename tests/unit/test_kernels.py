# SPDX-License-Identifier: MIT
"""The kernels in the cache: found when whole, not when damaged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.host import kernels


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("KMODLAB_CACHE", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def make(cache: Path, release: str, *, default: bool = False) -> Path:
    """Lay out a kernel's folder as `ensure_kernel` leaves it, with small files."""
    folder = cache / "kernels" / f"{release}_1"
    kernel = KernelBuild(release, "x86_64", "1", folder / "root", "Debian test")
    for path in kernels._telling(kernel):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    kernels._write_manifest(kernel)
    if default:
        kernels._write_json(cache / "kernels" / "default.json", {"folder": folder.name})
    return folder


def test_whole_kernels_are_found(cache: Path) -> None:
    assert kernels.find_kernels() == []
    make(cache, "6.1.0-1-amd64", default=True)
    make(cache, "6.12.0-1-amd64")
    assert [kernel.release for kernel in kernels.find_kernels()] == ["6.1.0-1-amd64", "6.12.0-1-amd64"]
    assert kernels.default_kernel().release == "6.1.0-1-amd64"
    assert kernels.ensure_kernel() == kernels.default_kernel()
    assert kernels.ensure_kernel("6.12.0-1-amd64").source == "Debian test"


def test_without_any_the_user_is_told_what_to_do(cache: Path) -> None:
    with pytest.raises(HostSetupError, match=r"run \./lab setup"):
        kernels.default_kernel()


@pytest.mark.parametrize("name", ["boot/vmlinux-6.1.0-1-amd64", "lib/modules/6.1.0-1-amd64/modules.dep"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_damaged_file_is_noticed(cache: Path, name: str, how: str) -> None:
    file = make(cache, "6.1.0-1-amd64", default=True) / "root" / name
    if how == "gone":
        file.unlink()
    else:
        file.write_text(file.read_text()[:-1])
    assert kernels.find_kernels() == []
    with pytest.raises(HostSetupError):
        kernels.default_kernel()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"form": 1}', '{"form": 0}', '{"form": 1, "files": 3}'])
def test_a_damaged_manifest_is_noticed(cache: Path, text: str) -> None:
    folder = make(cache, "6.1.0-1-amd64", default=True)
    (folder / "kernel.json").write_text(text)
    assert kernels.find_kernels() == []


@pytest.mark.parametrize("release", ["", "6.1 x", "-6.1", "linux"])
def test_releases_that_cannot_be_meant(cache: Path, release: str) -> None:
    with pytest.raises(UsageError, match="not a kernel's release"):
        kernels.ensure_kernel(release)


@pytest.mark.parametrize("where", ["lib/modules", "usr/lib/modules"])
def test_modules_are_found_below_lib_and_below_usr_lib(tmp_path: Path, where: str) -> None:
    (tmp_path / where / "6.1").mkdir(parents=True)
    (tmp_path / where / "6.1" / "modules.order").write_text("x")
    kernels._settle_modules(tmp_path)
    for base in ("lib", "usr/lib"):
        assert (tmp_path / base / "modules/6.1/modules.order").read_text() == "x"
    assert not (tmp_path / "lib/modules").is_symlink()


def test_a_kernel_and_its_configuration_are_found_beside_its_modules(tmp_path: Path) -> None:
    kernel = KernelBuild("7.3", "x86_64", "1", tmp_path, "Debian test")
    kernel.modules.mkdir(parents=True)
    for name in ("vmlinuz", "config"):
        (kernel.modules / name).write_text(name)
    kernels._settle_boot(kernel)
    kernels._settle_boot(kernel)
    assert kernel.config.read_text() == "config"
    assert (tmp_path / "boot" / "vmlinuz-7.3").read_text() == "vmlinuz"
    assert not list(kernel.modules.iterdir())


@pytest.mark.build
def test_the_real_one_is_whole(kernel: KernelBuild) -> None:
    manifest = json.loads((kernel.root.parent / "kernel.json").read_text())
    assert manifest["release"] == kernel.release
    assert (kernel.modules / "modules.dep").stat().st_size > 100_000
    assert "btrfs.ko" in (kernel.modules / "modules.dep").read_text()
    assert f"CONFIG_{'X86_64' if kernel.arch == 'x86_64' else 'ARM64'}=y" in kernel.config.read_text()
    assert all(on_host.is_dir() for on_host, _ in kernel.header_binds)


@pytest.mark.parametrize("folder", ["../../etc", "6.1/../..", ".", "/"])
def test_folders_in_which_there_is_no_kernel(cache: Path, folder: str) -> None:
    with pytest.raises(UsageError, match="no kernel was built there"):
        kernels.ensure_kernel(folder)
