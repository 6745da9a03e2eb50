# SPDX-License-Identifier: MIT
"""Debian packages without root: apt with a state folder of its own.

Sources, keys, proxies and all other settings are the machine's own, so apt checks the signatures as it always does.
The machine's package lists, its record of what is installed and its hooks are left alone. Nothing is ever installed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache as once
from pathlib import Path

from kmodlab import process
from kmodlab.errors import HostSetupError
from kmodlab.host.bundle import find_bundle
from kmodlab.host.deb import Deb, discard, is_whole, parse_stanzas, parse_uris
from kmodlab.host.ledger import count_fetched, fetched_line
from kmodlab.host.state import disk_full, locked, need_room
from kmodlab.progress import size_text, step

__all__ = [
    "NoSuchPackage",
    "PrivateApt",
    "StaleLists",
    "download",
    "own_architecture",
    "percent_watcher",
    "private_apt",
    "resolve",
]

_STALE = 24 * 3600.0  # seconds after which the package lists are fetched anew
_DOWNLOAD_LIMIT = 4 * 3600.0  # seconds; a slow line is no error, a hanging one is apt's to notice

# The hooks that distributions and containers put here touch the system: they clear its caches, feed its desktop.
_SETTINGS = """#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "{folder}";
Dir::State::lists "{lists}";
Dir::State::status "{folder}/status";
Dir::State::extended_states "{folder}/extended_states";
Dir::Cache "{folder}/cache";
Dir::Cache::archives "{folder}/cache/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb-src::Sources::DefaultEnabled "false";
APT::Get::Assume-Yes "true";
APT::Install-Recommends "false";
APT::Status-Fd "1";
"""
_OWN_SOURCES = """Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
"""
# Names without an architecture mean the first of these.
_FOREIGN = 'APT::Architecture "{first}";\nAPT::Architectures {{ "{first}"; "{own}"; }};\n'
# Root's apt fetches as the user _apt, who may not write into a folder below /root.
_AS_ROOT = 'APT::Sandbox::User "root";\n'

_PERCENT = re.compile(rb"^dlstatus:\d+:([\d.]+):", re.M)
_ERROR_LINE = re.compile(r"^[EW]: .*", re.M)
_CAUSES = {
    "space": r"No space left on device|enough free space",
    "stale": r"404\s+Not Found|Hash Sum mismatch|File has unexpected size",
    "network": r"resolv|ould not connect|is unreachable|onnection (timed out|failed|refused|reset)|nable to connect",
    "signature": r"NO_PUBKEY|not signed|EXPKEYSIG|GPG error",
    "unknown": r"nable to locate package|no installation candidate|No packages found|no available version|not found$",
}


class StaleLists(HostSetupError):
    """The package lists name a file that the archive does not have any more."""


class NoSuchPackage(HostSetupError):
    """The archive has no package of that name."""


class _NoRoom(HostSetupError):
    """apt ran out of room."""


class PrivateApt:
    """apt with its state in a folder of ours.

    Args:
        folder: the folder; it is made at first use.
        sources: lines for a ``sources.list`` that takes the place of the machine's sources.
        title: what its packages come from, in words; empty: the machine's own release.
        architecture: Debian's word for the architecture of its packages; empty: the machine's own. The machine's own
            can be had from it too, as ``NAME:amd64``.
    """

    def __init__(self, folder: Path, sources: str = "", title: str = "", architecture: str = "") -> None:
        self.folder = folder
        self.title = title
        self.architecture = architecture
        self._sources = sources
        self.archives = folder / "debs"
        # Where there is no network, a bundle takes the place of the machine's sources.
        self._bundle = find_bundle(folder.parent)
        self._lists = self._bundle.lists if self._bundle else folder / "lists"

    @property
    def _settings(self) -> Path:
        return self.folder / "apt.conf"

    def _prepare(self) -> None:
        for place in (self._lists / "partial", self.folder / "cache" / "archives" / "partial", self.archives):
            place.mkdir(parents=True, exist_ok=True)
        if any(letter in str(self.folder) for letter in '"\n'):
            raise HostSetupError(
                f"use {self.folder}: apt cannot name it (a quote); set KMODLAB_CACHE to another folder"
            )
        text = _SETTINGS.format(folder=self.folder, lists=self._lists) + (_AS_ROOT if os.geteuid() == 0 else "")
        if self.architecture:
            text += _FOREIGN.format(first=self.architecture, own=own_architecture())
        if self._bundle:
            text += "".join(f'{name} "{value}";\n' for name, value in self._bundle.apt_settings().items())
        if self._sources:
            (self.folder / "sources.list").write_text(self._sources)
            text += _OWN_SOURCES.format(folder=self.folder)
        (self.folder / "status").touch()
        if not self._settings.exists() or self._settings.read_text() != text:
            part = self._settings.with_suffix(f".{os.getpid()}")
            part.write_text(text)
            part.rename(self._settings)

    def _run(
        self,
        program: str,
        *arguments: str,
        cwd: Path | None = None,
        timeout: float = 120,
        watch: Callable[[bytes], object] | None = None,
    ) -> str:
        """Run a program of apt and return its standard output.

        Raises:
            HostSetupError: it failed; says the cause in apt's words and what to do.
        """
        argv = [program, "-c", str(self._settings), *arguments]
        env = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        try:
            finished = process.run(argv, cwd=cwd, env=env, timeout=timeout, limit=64 << 20, watch=watch)
        except process.ProcessTimeout:
            raise HostSetupError(f"run {program}: no end after {timeout:.0f} s; check the network, try again") from None
        if finished.exit_status != 0:
            raise _error(finished.text, self.folder)
        return finished.stdout.decode(errors="replace")

    def update(self, *, force: bool = False) -> None:
        """Fetch the package lists (about 10 MB) if there are none or they are a day old.

        Where the network is away and older lists are there, these stay in use.

        Raises:
            HostSetupError: no sources, no network, a signature that does not fit, no room on the disk.
        """
        self._prepare()
        stamp = self._lists.with_name("updated")
        with locked(self.folder / "lock", "fetching the package lists"):
            if not force and stamp.exists() and time.time() - stamp.stat().st_mtime < _STALE:
                return
            need_room(self.folder, 90_000_000, "Debian's package lists")
            with step("Fetching Debian's package lists", total=100, unit="%") as now:
                watch = percent_watcher(now.reach, 1)
                try:
                    start = time.monotonic()
                    text = self._run("apt-get", "update", "-q", "--error-on=any", timeout=_DOWNLOAD_LIMIT, watch=watch)
                    count_fetched(fetched_line(text), time.monotonic() - start)
                except HostSetupError:
                    if not self._usable_lists():
                        raise
            if not self._usable_lists():
                raise HostSetupError(
                    "read apt's sources: they name no packages; put the release's main section into sources.list"
                )
            stamp.touch()

    def _usable_lists(self) -> bool:
        return any(self._lists.glob("*_Packages*"))

    def ask(self, program: str, *words: str) -> str:
        """Return what a program of apt prints that only reads the package lists, e.g. ``apt-cache pkgnames``.

        Raises:
            HostSetupError: there are no lists, or it failed.
        """
        self.update()
        return self._run(program, *words)

    def show(self, names: Iterable[str]) -> list[dict[str, str]]:
        """Return what the archive says of packages: the fields of the newest version of each (``apt-cache show``).

        Raises:
            HostSetupError: one is not there.
        """
        self.update()
        return parse_stanzas(self._run("apt-cache", "show", "--no-all-versions", *names))

    def resolve(self, names: Sequence[str], *, with_dependencies: bool = False) -> tuple[Deb, ...]:
        """Return the packages to fetch for some names (``NAME`` or ``NAME=VERSION``).

        Args:
            names: what is wanted.
            with_dependencies: also all that they depend on, as for a system where nothing is installed.

        Raises:
            HostSetupError: one is not there.
        """
        self.update()
        verb = "install" if with_dependencies else "download"
        return parse_uris(self._run("apt-get", verb, "-qq", "--print-uris", *names))

    def download(self, debs: Sequence[Deb]) -> tuple[Path, ...]:
        """Fetch packages and return their files. apt checks their hashes; a part that is there already is used.

        Raises:
            StaleLists: the archive has dropped one for a newer version; the lists are fresh now, resolve again.
            HostSetupError: no network, no room on the disk.
        """
        self._prepare()
        files = tuple(self.archives / deb.filename for deb in debs)
        with locked(self.archives / "lock", "fetching packages"):
            missing = [deb for deb, file in zip(debs, files, strict=True) if not is_whole(file, deb)]
            if missing:
                # apt goes on behind what is there, and takes a file of the right size as it is.
                self._discard_wrong(missing)
                try:
                    self._fetch(missing)
                finally:
                    wrong = self._discard_wrong(missing)
                if wrong:
                    raise StaleLists(f"fetch {wrong[0].filename}: Hash Sum mismatch; try again")
        return files

    def _discard_wrong(self, debs: Sequence[Deb]) -> list[Deb]:
        """Delete and return those whose file is as long as it should be, or longer, and yet another one."""
        files = {deb: self.archives / deb.filename for deb in debs}
        wrong = [deb for deb, file in files.items() if file.exists() and file.stat().st_size >= deb.size]
        wrong = [deb for deb in wrong if not is_whole(files[deb], deb)]
        discard(files[deb] for deb in wrong)
        return wrong

    def _fetch(self, debs: Sequence[Deb]) -> None:
        total = sum(deb.size for deb in debs)
        need_room(self.archives, total + 50_000_000, "the packages' files")
        what = debs[0].name if len(debs) == 1 else f"{len(debs)} Debian packages"
        with step(f"Downloading {what} ({size_text(total)})", total=total) as now:
            words = [f"{deb.name}{self._foreign(deb)}={deb.version}" for deb in debs]
            watch = percent_watcher(now.reach, total / 100)
            try:
                start = time.monotonic()
                self._run("apt-get", "download", "-qq", *words, cwd=self.archives, timeout=_DOWNLOAD_LIMIT, watch=watch)
                count_fetched(total, time.monotonic() - start)
            except _NoRoom as error:
                discard(self.archives / deb.filename for deb in debs)
                raise disk_full(self.archives, total) from error
            except StaleLists:
                self.update(force=True)
                raise

    def _foreign(self, deb: Deb) -> str:
        """What must follow a package's name here, so that apt does not take it for that of another architecture."""
        return "" if not self.architecture or deb.architecture == "all" else f":{deb.architecture}"


def percent_watcher(reach: Callable[[float], object], scale: float) -> Callable[[bytes], None]:
    """Return what reads apt's status lines and calls `reach` with the percentage of the download times `scale`."""

    def watch(piece: bytes) -> None:
        found = _PERCENT.findall(piece)
        if found:
            reach(float(found[-1]) * scale)

    return watch


def _error(text: str, folder: Path) -> HostSetupError:
    """Turn what apt printed into one sentence with what to do."""
    lines = _ERROR_LINE.findall(text)
    # The lines name the URL of a mirror, which can hold a password and says nothing to a reader.
    words = re.sub(r"\b\w+://\S+", "the archive", lines[0][3:] if lines else text.strip()[-200:] or "failed")
    cause = next((cause for cause, pattern in _CAUSES.items() if re.search(pattern, text, re.M)), "")
    if cause == "space":
        return _NoRoom(str(disk_full(folder)))
    advice = {
        "stale": "the archive has changed meanwhile: try again",
        "network": "check the network (and apt's proxy) and try again",
        "signature": "mend the keys of apt's sources (apt-get update shows them)",
        "unknown": "add the release's main section to /etc/apt/sources.list",
    }.get(cause, "apt-get update shows whether the machine's sources work")
    verb = {"network": "reach Debian's archive", "unknown": "find a package"}.get(cause, "fetch packages")
    kind = {"stale": StaleLists, "unknown": NoSuchPackage}.get(cause, HostSetupError)
    return kind(f"{verb}: {words.rstrip('.')}; {advice}")


@once
def own_architecture() -> str:
    """Return Debian's word for this machine's architecture (``dpkg --print-architecture``)."""
    return process.run(["dpkg", "--print-architecture"], timeout=30).text.strip()


def private_apt(architecture: str = "") -> PrivateApt:
    """Return the apt whose state lies in the cache folder: of an architecture, in Debian's word, or of our own."""
    from kmodlab.config import settings

    folder = settings().cache / "apt"
    if architecture in {"", own_architecture()}:
        return PrivateApt(folder)
    return PrivateApt(folder / architecture, architecture=architecture)


def resolve(names: Sequence[str], *, with_dependencies: bool = False, architecture: str = "") -> tuple[Deb, ...]:
    """Return the packages to fetch, of our own architecture or another; see `PrivateApt.resolve`."""
    return private_apt(architecture).resolve(names, with_dependencies=with_dependencies)


def download(debs: Sequence[Deb], *, architecture: str = "") -> tuple[Path, ...]:
    """Fetch packages and return their files; see `PrivateApt.download`."""
    return private_apt(architecture).download(debs)
