# SPDX-License-Identifier: MIT
"""Makes the Python environment that kmodlab runs in. Run by the ``lab`` script with the machine's own Python.

A bare Debian has neither pip nor ensurepip: the environment is made without, and pip comes from Debian's package of it,
fetched and unpacked without root. pip runs from that file, with the machine's own settings.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import time
import venv
from pathlib import Path

from kmodlab import process
from kmodlab.errors import HostSetupError, KmodlabError, UsageError
from kmodlab.host import apt, ledger, state
from kmodlab.host.bundle import find_bundle
from kmodlab.host.deb import unpack
from kmodlab.host.packing import unpack_bundle
from kmodlab.host.system import require_debian
from kmodlab.progress import Step, say, size_text, step

__all__ = ["LOCK", "download_wheels", "ensure_environment", "main", "pip_wheel"]

LOCK = Path(__file__).with_name("requirements.lock")
"""What the environment holds: every package with its version and hashes."""

_WHEELS = Path("usr/share/python-wheels")
_SIZES = re.compile(r"^# download (?P<python>\d+\.\d+): (?P<megabytes>\d+) MB, on the disk (?P<disk>\d+) MB$", re.M)
_PIP_LINE = re.compile(r"Downloading \S+ \((?P<number>[\d.]+) (?P<unit>B|bytes|kB|KB|MB|GB)\)")
_UNITS = {"B": 1, "bytes": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9}


def ensure_environment(folder: Path, cache: Path) -> None:
    """Make the environment in a folder below the cache folder, unless it is there whole.

    Raises:
        HostSetupError: no network, no room on the disk, pip refused something; says what to do.
    """
    complete = folder / "complete"
    state.claim(cache)
    with state.locked(folder.with_suffix(".lock"), "making the Python environment"):
        if complete.exists():
            return
        # Made in its place, since scripts of an environment name it; only `complete` says that it is whole.
        shutil.rmtree(folder, ignore_errors=True)
        try:
            with ledger.noted(cache, "python"):
                _make(folder, cache)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        complete.touch()


def _make(folder: Path, cache: Path) -> None:
    size, disk = _sizes()
    say(f"Making the Python environment (download: about {size_text(size)}, once)")
    state.need_room(folder, disk + size, "the Python environment")
    try:
        venv.create(folder, with_pip=False, symlinks=True)
        pip = pip_wheel(cache)
        _install(folder, pip, size, cache)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise state.disk_full(cache, disk + size) from error
        raise


def _sizes() -> tuple[int, int]:
    """The bytes to download and on the disk, as noted in the lock file when it was made."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = {line["python"]: line for line in _SIZES.finditer(LOCK.read_text())}
    line = found.get(python) or next(iter(found.values()))
    return int(line["megabytes"]) * 1_000_000, int(line["disk"]) * 1_000_000


def pip_wheel(cache: Path) -> Path:
    """Return pip's wheel, from inside which pip can run: the machine's, or that of Debian's package, fetched now.

    Raises:
        HostSetupError: it cannot be fetched.
    """
    root = cache / "python" / "pip"
    for base in (Path("/"), root):
        for wheel in sorted((base / _WHEELS).glob("pip-*.whl")):
            return wheel
    fetcher = apt.PrivateApt(cache / "apt")
    with state.locked(root.with_suffix(".lock"), "fetching pip"):
        if not root.exists():
            unpack(fetcher.download(fetcher.resolve(["python3-pip-whl"])), root)
    return next(iter((root / _WHEELS).glob("pip-*.whl")))


def _install(folder: Path, pip: Path, size: int, cache: Path) -> None:
    # From inside its own wheel, pip installs into the environment whose Python runs it.
    argv: list[str | Path] = [folder / "bin" / "python", "-I", pip / "pip", "install", *_pip_options(cache)]
    with step("Downloading and installing Python packages", total=size) as now:
        watcher = _Watcher(now)
        finished = process.run(argv, timeout=4 * 3600, env=_environment(), watch=watcher)
    ledger.count_fetched(watcher.bytes, watcher.fetching)
    if finished.exit_status != 0:
        raise _error(finished.text, folder)


def _pip_options(cache: Path) -> list[str | Path]:
    """Options of pip that name what is wanted, and an unpacked bundle as the place where it lies."""
    bundle = find_bundle(cache)
    place: list[str | Path] = ["--no-index", "--find-links", bundle.wheels] if bundle else []
    quiet = ["--no-input", "--no-cache-dir", "--progress-bar", "off", "--disable-pip-version-check"]
    return ["-r", LOCK, "--require-hashes", *quiet, *place]


def download_wheels(folder: Path, cache: Path) -> tuple[Path, ...]:
    """Fetch all that the environment holds into a folder, and return the files.

    Raises:
        HostSetupError: no network, no room on the disk, pip refused something; says what to do.
    """
    size, _ = _sizes()
    state.need_room(folder, size, "Python packages")
    argv: list[str | Path] = [sys.executable, "-I", pip_wheel(cache) / "pip", "download", *_pip_options(cache)]
    with step("Downloading Python packages", total=size) as now:
        watcher = _Watcher(now)
        argv += ["--no-deps", "--only-binary", ":all:", "--dest", folder]
        finished = process.run(argv, timeout=4 * 3600, env=_environment(), watch=watcher)
    if finished.exit_status != 0:
        raise _error(finished.text, folder)
    return tuple(sorted(folder.iterdir()))


def _environment() -> dict[str, str]:
    """The environment without what would send pip elsewhere than into the new folder."""
    unwanted = {"PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"}
    return {name: value for name, value in os.environ.items() if name not in unwanted} | {"PIP_USER": "0"}


class _Watcher:
    """Adds up the sizes that pip prints as it downloads, and notes when it begins to install."""

    def __init__(self, now: Step) -> None:
        self.bytes = 0
        self.fetching = 0.0
        self._now = now
        self._rest = ""

    def __call__(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece.decode(errors="replace")).split("\n")
        for line in lines:
            found = _PIP_LINE.search(line)
            if found:
                self.bytes += round(float(found["number"]) * _UNITS[found["unit"]])
                self._now.reach(self.bytes)
            elif line.startswith("Installing collected packages"):
                self.fetching = time.monotonic() - self._now.start


def _error(text: str, folder: Path) -> HostSetupError:
    lines = [line for line in text.splitlines() if line.startswith("ERROR:")] or text.strip().splitlines()[-1:]
    words = re.sub(r"\b\w+://\S+", "the index", lines[-1].removeprefix("ERROR:").strip() if lines else "pip failed")
    if "No space left" in text:
        return state.disk_full(folder)
    if re.search(r"NewConnectionError|Temporary failure|Max retries|unreachable|timed out", text):
        return HostSetupError(
            "reach the Python package index: no answer; check the network (and pip's settings) and try again"
        )
    return HostSetupError(f"install Python packages: {words}; pip config list shows what pip uses")


def main() -> int:
    """Do what the arguments say: ``make CACHE FOLDER``, ``unpack CACHE FILE`` or ``remove CACHE``.

    Returns:
        An exit status.
    """
    verb, cache = sys.argv[1], Path(sys.argv[2]).absolute()
    try:
        if verb == "remove":
            say(f"Removed {cache}: {size_text(state.remove(cache))} freed")
            return 0
        require_debian()
        if verb == "unpack":
            unpack_bundle(Path(sys.argv[3]), cache)
        else:
            ensure_environment(Path(sys.argv[3]).absolute(), cache)
    except KmodlabError as error:
        say(f"kmodlab: {error}")
        return 2 if isinstance(error, UsageError) else 3
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
