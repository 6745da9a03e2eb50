# SPDX-License-Identifier: MIT
"""A bundle of all that a set-up fetches, unpacked into the cache folder.

It takes the place of the package index and of apt's sources; everything after that is the same as ever. How it is made
and unpacked stands in `kmodlab.host.packing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["FOLDER", "MANIFEST", "Bundle", "find_bundle"]

FOLDER = "bundle"
"""Its folder in the cache."""

MANIFEST = "bundle.json"
"""The file that tells what is in it; without it there is no bundle."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was unpacked into the cache folder.

    Attributes:
        folder: where it lies.
    """

    folder: Path

    @property
    def wheels(self) -> Path:
        """The folder with the Python packages, for ``pip --no-index --find-links``."""
        return self.folder / "wheels"

    @property
    def lists(self) -> Path:
        """The folder of apt's package lists, made from the bundle's own."""
        return self.folder / "lists"

    def apt_settings(self) -> dict[str, str]:
        """Return apt's settings, by name, with which it uses this bundle and nothing else."""
        sources = self.folder / "sources.list"
        # Each file was compared with its hash when the bundle was unpacked.
        sources.write_text(f"deb [trusted=yes] file:{self.folder / 'debs'} ./\n")
        return {
            "Dir::Etc::sourcelist": str(sources),
            "Dir::Etc::sourceparts": "/dev/null",
            "APT::Get::List-Cleanup": "false",  # the machine's own lists stay
            "APT::Sandbox::User": "root",
        }


def find_bundle(cache: Path) -> Bundle | None:
    """Return the bundle that was unpacked into a cache folder, if one was."""
    folder = cache / FOLDER
    return Bundle(folder) if (folder / MANIFEST).is_file() else None
