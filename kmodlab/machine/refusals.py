# SPDX-License-Identifier: MIT
"""Why the kernel refused to load or unload a module, in a sentence that says what to do: pure functions."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping, Sequence

from kmodlab.errors import ModuleLoadError, ModuleUnloadError, UsageError, errno_text
from kmodlab.guest.session import LoadResult
from kmodlab.records.elf import ModuleFile
from kmodlab.records.kmsg import KmsgRecord
from kmodlab.records.modules import LoadedModule

__all__ = ["load_refused", "parameter_line", "unload_refused"]

Parameter = str | int | bool | Sequence[int | str]

_WARNING = 4  # the level of a warning in the kernel's log; a smaller number is worse
_NEVER = "the module's function has not returned: vm.reset() gives a fresh machine"


def parameter_line(name: str, file: ModuleFile | None, parameters: Mapping[str, Parameter]) -> str:
    """Return parameters in the form that ``insmod`` hands to the kernel: ``size=64 whom="all of you"``.

    Raises:
        UsageError: the module has no such parameter (the kernel would only note it in its log), or a value holds
            a character that cannot be handed over.
    """
    known = _parameters(file) if file else None
    for parameter in parameters:
        if known is not None and parameter not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise UsageError(f"insmod {name}.ko: no parameter {parameter!r}; {has}")
    return " ".join(f"{parameter}={_value(name, parameter, value)}" for parameter, value in parameters.items())


def _parameters(file: ModuleFile) -> list[str]:
    """The parameters that a module declares, from its ``parmtype`` and ``parm`` entries."""
    names = (text.partition(":")[0] for key, text in file.modinfo if key in {"parmtype", "parm"})
    return list(dict.fromkeys(names))


def _value(name: str, parameter: str, value: Parameter) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if not isinstance(value, str | int):
        return ",".join(_value(name, parameter, part) for part in value)
    text = str(value)
    if any(character in text for character in '"\n\0'):
        raise UsageError(f"insmod {name}.ko: {parameter}={text!r}: a quote or a line break cannot stand in a value")
    return f'"{text}"' if re.search(r"\s", text) or not text else text


def load_refused(
    name: str, answer: LoadResult, log: Sequence[KmsgRecord], *, file: ModuleFile | None, release: str
) -> ModuleLoadError:
    """Return the error for a module that was not loaded.

    Args:
        name: the module.
        answer: what ``finit_module(2)`` came to.
        log: what the kernel logged meanwhile.
        file: the module's file, if it is known.
        release: the guest's ``uname -r``.
    """
    number = answer.errno
    words = _ended(answer) or errno_text(number)
    advice = _NEVER if answer.timed_out else _advice(name, number, log, file, release)
    return ModuleLoadError(f"insmod {name}.ko: {words}; {advice}", module=name, errno=number, records=log)


def _ended(answer: LoadResult) -> str:
    """How the process that asked the kernel ended, if it got no answer."""
    if answer.timed_out or answer.stuck:
        return f"no answer from the kernel after {answer.seconds:.0f} s (ETIMEDOUT)"
    return f"the loading process was killed by signal {answer.signal}" if answer.signal else ""


def _speaks_of(text: str, name: str) -> bool:
    """Whether a line of the log is the loader's about a module; that it taints the kernel is no reason to refuse it."""
    return text.startswith((f"{name}:", f"module {name}:")) and not re.search(r"taint(?:s|ing) kernel", text)


def _advice(name: str, number: int, records: Sequence[KmsgRecord], file: ModuleFile | None, release: str) -> str:
    log = [record.text for record in records]
    taken = next((text for text in log if "cannot create duplicate" in text), None)
    if number == errno.EEXIST and taken:
        return f"its init function makes something whose name is taken: the kernel says {taken!r}"
    if number == errno.EEXIST:
        return f"{name} is loaded already: rmmod {name} first"
    built_for = dict(file.modinfo).get("vermagic", "").split(" ")[0] if file else ""
    if number == errno.ENOEXEC and built_for and built_for != release:
        return f"built for {built_for}, the guest runs {release}: rebuild with kernel=vm.kernel"
    own = [record.text for record in records if record.level <= _WARNING and _speaks_of(record.text, name)]
    unknown = [found[1] for text in own if (found := re.search(r"Unknown symbol (\S+)", text))]
    if unknown:
        return f"nothing exports {', '.join(dict.fromkeys(unknown))}: load the module that does first, or see modprobe"
    invalid = next((text for text in log if "invalid for parameter" in text or "too large for parameter" in text), None)
    if invalid:
        return f"the kernel says {invalid!r}: give the parameter a value of its type"
    if own:
        return f"the kernel says {own[-1]!r}"
    if number in {errno.EPERM, errno.EKEYREJECTED}:
        return "this kernel accepts only modules that are signed with a key it knows"
    # No words of the loader: it is the module's own init function that returned the error.
    return f"the module's init function returned -{errno.errorcode.get(number, number)}, so it was not kept"


def unload_refused(
    name: str, answer: LoadResult, rows: Sequence[LoadedModule], log: Sequence[KmsgRecord] = ()
) -> ModuleUnloadError:
    """Return the error for a module that was not unloaded.

    Args:
        name: the module.
        answer: what ``delete_module(2)`` came to.
        rows: the modules that are loaded.
        log: what the kernel logged meanwhile.
    """
    row = next((row for row in rows if row.name == name), None)
    number = answer.errno
    words, advice = errno_text(number), f"see vm.dmesg() for what {name} did"
    if ended := _ended(answer):
        words, advice = ended, _NEVER
    elif row is None or number == errno.ENOENT:
        words = "Module is not currently loaded (ENOENT)"
        advice = f"loaded are {', '.join(row.name for row in rows[:6])} …: see lsmod" if rows else "see lsmod"
    elif row.holders:
        words = f"Module {name} is in use by {', '.join(row.holders)} (EWOULDBLOCK)"
        advice = f"rmmod {row.holders[0]} first"
    elif number == errno.EWOULDBLOCK:
        words = f"Module {name} is in use (EWOULDBLOCK)"
        holds = "1 user holds" if row.refcount == 1 else f"{row.refcount} users hold"
        advice = f"{holds} it: close its files, unmount it, or take its device down first"
    elif row.permanent or number == errno.EBUSY:
        advice = "it has no module_exit function, or its init has not ended; vm.reset() gives a fresh machine"
    return ModuleUnloadError(f"rmmod {name}: {words}; {advice}", module=name, errno=number, records=log)
