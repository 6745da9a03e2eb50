# SPDX-License-Identifier: MIT
"""From settings to QEMU's command line: pure functions, and the one place for what an architecture differs in.

A machine owns nothing in the file system. All that its QEMU works with is passed as open descriptors: its memory, its
disks, its console, its monitor and the agent's channel. So nothing can be left behind, and an unprivileged QEMU needs
no right to any path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kmodlab.errors import UsageError

__all__ = ["Architecture", "Boot", "Descriptors", "Hardware", "architecture", "command_line"]

SCRATCH_BYTES = 64 << 20
"""Size of the scratch block device, ``/dev/vdb`` in the guest."""

TEMPLATE_MAC = "52:54:00:6b:6d:00"
"""MAC address in the frozen machine; every clone gets one of its own."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What differs between the architectures of guests.

    Attributes:
        name: the kernel's word for it.
        binary: the QEMU program.
        machine: a *versioned* machine type. An unversioned one (``q35``) means another machine in each QEMU, and a
            frozen machine would be refused by the next.
        cpu: the CPU model for each accelerator.
        console: the kernel's name for the first serial port.
        arguments: words of the kernel's command line that only this architecture knows or needs.
        package: the Debian package that holds `binary`.
        nmi: whether the machine can be sent a non-maskable interrupt. Without one, a guest whose processors all spin
            with interrupts off is found silent, but not where they spin.
    """

    name: str
    binary: str
    machine: str
    cpu: dict[str, str]
    console: str
    arguments: str
    package: str
    nmi: bool


ARCHITECTURES = {
    "x86_64": Architecture(
        name="x86_64",
        binary="qemu-system-x86_64",
        machine="pc-q35-7.2",
        cpu={"tcg": "max", "kvm": "host"},
        console="ttyS0",
        arguments="no_timer_check unknown_nmi_panic",
        package="qemu-system-x86",
        nmi=True,
    ),
    "aarch64": Architecture(
        name="aarch64",
        binary="qemu-system-aarch64",
        machine="virt-7.2,gic-version=3",
        # An old core: without pointer authentication, which is dear to emulate.
        cpu={"tcg": "cortex-a57", "kvm": "host"},
        console="ttyAMA0",
        arguments="nokaslr",
        package="qemu-system-arm",
        nmi=False,
    ),
}


def architecture(name: str) -> Architecture:
    """Return the description of an architecture.

    Raises:
        UsageError: kmodlab has no machine of that kind.
    """
    try:
        return ARCHITECTURES[name]
    except KeyError:
        raise UsageError(f"machine for {name}: no such kind; there is {', '.join(ARCHITECTURES)}") from None


@dataclass(frozen=True, slots=True)
class Hardware:
    """The machine as the guest sees it; a frozen machine restores only into the same hardware.

    Attributes:
        arch: architecture.
        accelerator: ``tcg`` or ``kvm``.
        cpus: number of virtual processors. Two, so that a module that spins does not take the agent with it.
        memory: MiB.
    """

    arch: str = "x86_64"
    accelerator: str = "tcg"
    cpus: int = 2
    memory: int = 256


@dataclass(frozen=True, slots=True)
class Boot:
    """A cold boot: what QEMU loads by itself. A clone needs none of it.

    Attributes:
        kernel, initramfs: their files' open descriptors.
        arguments: the kernel's command line.
    """

    kernel: int
    initramfs: int
    arguments: str


@dataclass(frozen=True, slots=True)
class Descriptors:
    """The open files of one machine, by number; QEMU inherits them.

    Attributes:
        memory: the guest's memory.
        root: the root file system's image, read-only.
        scratch: the scratch disk, read-write.
        console: takes what the serial port prints, write-only and appending.
        monitor: QEMU's end of the QMP socket pair.
        agent: QEMU's end of the agent's socket pair.
    """

    memory: int
    root: int
    scratch: int
    console: int
    monitor: int
    agent: int

    def all(self) -> tuple[int, ...]:
        """Return every number, for ``pass_fds``."""
        return (self.memory, self.root, self.scratch, self.console, self.monitor, self.agent)


def command_line(hardware: Hardware, fds: Descriptors, boot: Boot | None) -> tuple[str, ...]:
    """Return QEMU's program and arguments.

    Args:
        hardware: the machine.
        fds: its open files.
        boot: what to boot, or None for a clone, which waits for a frozen machine's state on QMP.
    """
    arch = architecture(hardware.arch)
    return (
        arch.binary,
        *("-nodefaults", "-no-user-config", "-display", "none", "-name", "kmodlab,debug-threads=on"),
        *_sandbox(),
        *_processor(arch, hardware),
        *_memory(hardware, fds.memory, private=boot is None),
        *_channels(fds),  # the first virtio device, so that the agent's port is /dev/vport0p1
        *_disk("root", fds.root, 1, read_only=True),
        *_disk("scratch", fds.scratch, 2, read_only=False),
        # A network card on a hub with nothing else on it: the guest has an interface, and no way out. Nobody is there
        # whom a clone would have to tell of its move.
        *("-netdev", "hubport,id=net,hubid=0"),
        *("-device", f"virtio-net-pci,netdev=net,romfile=,guest_announce=off,mac={TEMPLATE_MAC}"),
        *("-device", "edu"),
        # No vmgenid: the agent reseeds a clone's random numbers itself, and the kernel's way there is a long one.
        # A panic is told to us as an event; the machine then stays as it is until its console has been read.
        *("-device", "pvpanic-pci", "-no-reboot", "-action", "panic=none,reboot=shutdown,shutdown=pause"),
        *(_boot(boot) if boot else ("-incoming", "defer")),
    )


def _sandbox() -> Sequence[str]:
    """QEMU may start no program, gain no right and change no limit: the guest is hostile, QEMU may have holes."""
    return ("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")


def _processor(arch: Architecture, hardware: Hardware) -> Sequence[str]:
    # 32 MiB for translated code: less doubles the time of an insmod, more only costs memory.
    accel = {"tcg": "tcg,thread=multi,tb-size=32", "kvm": "kvm"}[hardware.accelerator]
    return ("-accel", accel, "-cpu", arch.cpu[hardware.accelerator], "-smp", str(hardware.cpus))


def _memory(hardware: Hardware, fd: int, *, private: bool) -> Sequence[str]:
    """The guest's memory is a file. A template shares it with us, a clone maps it copy-on-write."""
    arch = architecture(hardware.arch)
    backend = f"memory-backend-file,id=ram,size={hardware.memory}M,mem-path=/proc/self/fd/{fd}"
    share = "off" if private else "on"
    machine = f"{arch.machine},memory-backend=ram"
    return ("-m", str(hardware.memory), "-object", f"{backend},share={share}", "-machine", machine)


def _disk(name: str, fd: int, fdset: int, *, read_only: bool) -> Sequence[str]:
    node = f"driver=file,node-name={name},filename=/dev/fdset/{fdset},locking=off"
    return (
        *("-add-fd", f"fd={fd},set={fdset}"),
        *("-blockdev", f"{node},read-only={'on' if read_only else 'off'}"),
        *("-device", f"virtio-blk-pci,drive={name},serial={name}"),
    )


def _channels(fds: Descriptors) -> Sequence[str]:
    # The console goes to a file and not to a socket: only so does the tail of a panic always arrive.
    return (
        *("-add-fd", f"fd={fds.console},set=3"),
        *("-chardev", "file,id=console,path=/dev/fdset/3,append=on", "-serial", "chardev:console"),
        *("-chardev", f"socket,id=monitor,fd={fds.monitor}", "-mon", "chardev=monitor,mode=control"),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,fd={fds.agent}"),
        *("-device", "virtserialport,chardev=agent,name=kmodlab.agent"),
    )


def _boot(boot: Boot) -> Sequence[str]:
    kernel, initramfs = (f"/proc/self/fd/{fd}" for fd in (boot.kernel, boot.initramfs))
    return ("-kernel", kernel, "-initrd", initramfs, "-append", boot.arguments)
