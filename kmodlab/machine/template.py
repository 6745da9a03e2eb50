# SPDX-License-Identifier: MIT
"""A machine that was booted once and frozen; every `Machine` is a clone of one.

On the disk a template is a folder of four files: ``memory`` (the guest's memory, sparse), ``state`` (the devices'
state, 0.3 MB), ``console`` (the boot's log) and ``template.json`` (what it was made from, sizes and checksums).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kmodlab import aio, process
from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.errors import BootTimeout, HostSetupError, ImageError, MachineError, MachineLost
from kmodlab.guest.identity import identify
from kmodlab.guest.session import Session
from kmodlab.host.state import disk_full, locked, writing
from kmodlab.machine import frozen, qemu
from kmodlab.machine.emulator import BootFiles, Emulator
from kmodlab.machine.image import GuestImage
from kmodlab.machine.outside import SYMBOLS, find_symbols
from kmodlab.progress import step
from kmodlab.records.modules import parse_modules
from kmodlab.shared import pass_over, shared

__all__ = ["Template", "boot_arguments", "ensure_template", "find_template", "ready"]

_STATE_BYTES = 1 << 20  # more than the devices' state takes
_FORM = 6  # raise it when the same inputs make another template

# What a clone will need first is read into the page cache before the freeze, so that no clone has to.
_WARM_UP = """
cd /root; export PATH=/usr/sbin:/usr/bin:/sbin:/bin
for tool in bash true echo insmod rmmod modprobe modinfo lsmod dmesg mount umount ip cat ls dd grep sed awk head tail \
            wc sha256sum mkdir rm mv cp stat sync sleep timeout unshare nsenter ping nc strace ethtool ps free; do
    env "$tool" --version || env "$tool" -V  # not the shell's own of that name
done >/dev/null 2>&1
lsmod >/dev/null; modprobe -n -v loop >/dev/null; modinfo -n loop >/dev/null; dmesg | tail -n 1 >/dev/null
(echo | cat) >/dev/null; true
"""


@dataclass(frozen=True, slots=True)
class Template:
    """A frozen machine on the disk.

    Attributes:
        folder: where it lies in the cache.
        hardware: the machine that it is.
        kernel: the kernel that it runs.
        image: what it was booted from; its root file system is needed by every clone.
    """

    folder: Path
    hardware: qemu.Hardware
    kernel: KernelBuild
    image: GuestImage

    def memory(self) -> int:
        """Return a descriptor of the sealed memory. It belongs to this process, which keeps one for each template.

        Raises:
            ImageError: what lies on the disk is damaged.
        """
        with _loading:
            if self.folder not in _memories:
                try:
                    _memories[self.folder] = frozen.load_sealed(self.folder / "memory", self._manifest()["memory"])
                except (OSError, ValueError, KeyError) as error:
                    # Without its manifest it does not count as there, so that the next one who asks makes it anew.
                    # What several share is not ours to mend: it may be read only, or else its administrator's.
                    if not _is_shared(self.folder):
                        with contextlib.suppress(OSError):
                            (self.folder / "template.json").unlink()
                    raise ImageError(f"load the frozen machine: {error}; try again, it is made anew then") from error
            return _memories[self.folder]

    def open_state(self) -> int:
        """Return a new descriptor of the devices' state, read-only; the caller closes it."""
        return os.open(self.folder / "state", os.O_RDONLY | os.O_CLOEXEC)

    def console(self) -> bytes:
        """Return what the machine printed while it booted."""
        return (self.folder / "console").read_bytes()

    def is_whole(self) -> bool:
        """Return whether its files are there with their sizes, and its state with its checksum."""
        try:
            manifest = self._manifest()
            size = (self.folder / "memory").stat().st_size
            return bool(
                size == self.hardware.memory << 20
                and frozen.checksum((self.folder / "state").read_bytes()) == manifest["state"]
                and (self.folder / "console").exists()
                and self.image.root.exists()
            )
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def symbols(self) -> dict[str, int]:
        """Return the addresses of the kernel's variables that are read from outside."""
        return dict(self._manifest()["symbols"])

    def modules(self) -> tuple[str, ...]:
        """Return the names of the modules that every clone has from the beginning."""
        return tuple(self._manifest()["modules"])

    def _manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.folder / "template.json").read_text())
        return manifest


_memories: dict[Path, int] = {}
_loading = threading.Lock()  # a spare may be in the making in the background, also while this process forks
os.register_at_fork(before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release)


def boot_arguments(hardware: qemu.Hardware) -> str:
    """Return the kernel's command line; ``vm/README.md`` gives the reason for each word."""
    arch = qemu.architecture(hardware.arch)
    return (
        f"console={arch.console} console_msg_format=syslog ignore_loglevel panic=-1 mitigations=off init_on_alloc=0 "
        f"{arch.arguments} audit=0 norandmaps panic_print=0x40 kmodlab.root=/dev/vda"
    )


def find_template(kernel: KernelBuild, image: GuestImage, hardware: qemu.Hardware) -> Template:
    """Return the template for this hardware, kernel and QEMU in the own cache, be it on the disk or not.

    Its name holds all that it depends on: so one that others share with us is one of this very QEMU and, with KVM, of
    a processor like this one.
    """
    arch = qemu.architecture(hardware.arch)
    binary = process.which(arch.binary)
    if binary is None:
        raise HostSetupError(f"find QEMU: not installed; run ./lab setup, or apt-get install {arch.package}")
    build = binary.stat()
    devices = qemu.command_line(hardware, qemu.Descriptors(0, 0, 0, 0, 0, 0), None)
    inputs = [_FORM, asdict(hardware), image.key, image.made_of(), boot_arguments(hardware), _WARM_UP, devices]
    inputs += [build.st_size, build.st_mtime_ns]
    if hardware.accelerator == "kvm":  # its processor is the host's own
        inputs.append(_processor())
    digest = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]
    name = f"{kernel.release}_{hardware.accelerator}_{hardware.cpus}cpu_{hardware.memory}M_{digest}"
    return Template(settings().cache / "templates" / name, hardware, kernel, image)


def _is_shared(folder: Path) -> bool:
    base = settings().shared_cache
    return base is not None and folder.is_relative_to(base)


def _processor() -> list[str]:
    """What tells this host's kind of processor from another, as a guest would notice."""
    wanted = ("vendor_id", "cpu family", "model", "stepping", "flags")
    lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return [facts.get(name, "") for name in wanted]


def ready(template: Template) -> Template | None:
    """Return a template, or the same of the shared cache, if it is there whole; None if neither is."""
    place = shared(template.folder)
    if place:
        theirs = replace(template, folder=place)
        if theirs.is_whole():
            return theirs
        pass_over(place, "damaged")
    return template if template.is_whole() else None


def ensure_template(
    kernel: KernelBuild, image: GuestImage, hardware: qemu.Hardware, *, boot_timeout: float | None = None
) -> Template:
    """Return the template, booting and freezing a machine if it is not on the disk (4 to 10 s under emulation).

    Raises:
        BootTimeout: the machine did not come up in time.
        MachineError: QEMU refused.
    """
    template = find_template(kernel, image, hardware)
    theirs = ready(template)
    if theirs and theirs.folder != template.folder:
        if _usable(theirs):
            return theirs
        pass_over(theirs.folder, "damaged")
    if not _usable(template):
        lock = locked(Path(f"{template.folder}.lock"), "freezing the same machine")
        with lock, writing(template.folder.parent):
            if not _usable(template):
                _make(template, boot_timeout or settings().boot_timeout)
    return template


def _usable(template: Template) -> bool:
    """Whether a template is there, with every byte as it was written."""
    if not template.is_whole():
        return False
    try:
        template.memory()
    except ImageError:
        return False
    return True


def _make(template: Template, boot_timeout: float) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(template.folder)
    _memories.pop(template.folder, None)
    with (
        tempfile.TemporaryDirectory(dir=template.folder.parent, prefix=".new-") as temporary,
        step(f"Booting Linux {template.kernel.release} once, to freeze it"),
    ):
        folder = Path(temporary) / "template"
        folder.mkdir()
        memory = frozen.new_memory(template.hardware.memory)
        try:
            manifest = {
                **_boot_and_freeze(template, folder, memory, boot_timeout),
                "memory": frozen.save(memory, folder / "memory"),
                "state": frozen.checksum((folder / "state").read_bytes()),
            }
        finally:
            os.close(memory)
        (folder / "template.json").write_text(json.dumps(manifest))
        folder.rename(template.folder)


def _boot_and_freeze(template: Template, folder: Path, memory: int, boot_timeout: float) -> dict[str, object]:
    """Boot a machine in `memory`, make it ready, and leave its state and its console's text in `folder`.

    Returns:
        The addresses of `SYMBOLS` and the modules that are loaded, taken before anybody could have changed what tells
        them.
    """
    boot = BootFiles(template.kernel.image, template.image.initramfs, boot_arguments(template.hardware))
    emulator = Emulator(template.hardware)
    state = os.open(folder / "state", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        aio.call(emulator.start(memory, template.image.root, boot), timeout=boot_timeout)
        session = _await_agent(emulator, time.monotonic() + boot_timeout)
        session.run(_WARM_UP, timeout=boot_timeout)
        facts: dict[str, object] = {
            "symbols": _symbols(session, emulator, template.kernel),
            "modules": _modules(session),
        }
        # Each clone does so again: then all that it takes has been read, and copied up from the image, already.
        aio.call(identify(session.channel), timeout=60)
        session.close()
        try:
            aio.call(emulator.freeze(state), timeout=60)
        except MachineError as error:
            # QEMU does not say why it could not write.
            if shutil.disk_usage(folder).free < _STATE_BYTES:
                raise disk_full(folder.parent.parent) from error
            raise
        (folder / "console").write_text(emulator.console.text())
    finally:
        os.close(state)
        aio.call(emulator.stop())
    return facts


def _modules(session: Session) -> list[str]:
    return [row.name for row in parse_modules(session.run(["cat", "/proc/modules"]).stdout)]


def _symbols(session: Session, emulator: Emulator, kernel: KernelBuild) -> dict[str, int]:
    """The addresses of `SYMBOLS`; fewer where they cannot be found."""
    names = (*SYMBOLS, "get_taint")
    text = session.run(["grep", "-wE", "|".join(names), "/proc/kallsyms"]).stdout
    rows = (line.split() for line in text.splitlines())
    found = {row[2]: int(row[0], 16) for row in rows if len(row) == 3 and row[2] in names}
    get_taint = found.pop("get_taint", 0)
    if not set(SYMBOLS) - found.keys():
        return found
    newest = f"/sys/module/{_modules(session)[0]}/sections/.gnu.linkonce.this_module"
    with contextlib.suppress(MachineError, ValueError):
        address = int(session.run(["cat", newest]).stdout, 16)
        return aio.call(find_symbols(emulator, kernel, address, get_taint), timeout=60)
    return found


def _await_agent(emulator: Emulator, deadline: float) -> Session:
    """Return a session with the agent once it answers, or tell why it does not."""
    try:
        return Session.open(emulator.agent, timeout=deadline - time.monotonic())
    except MachineLost as error:
        lines = emulator.console.text().splitlines()[-20:]
        last = next((line for line in reversed(lines) if line.strip()), "nothing on the console")
        if emulator.lost:
            words = emulator.complaint() or last
            raise MachineError(f"boot the machine: {words}; ./lab doctor checks this host") from error
        raise BootTimeout(
            f"boot the machine: no answer in time, its console ends with {last!r}; "
            "set KMODLAB_BOOT_TIMEOUT higher on a slow host",
            console=lines,
        ) from error
