# SPDX-License-Identifier: MIT
"""Make the documentation's site: ``./lab python docs/build.py``.

The lessons are run and the gallery is drawn in real machines first, unless those of an earlier run are to serve.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from docs.sitekit.check import external_links, problems
from docs.sitekit.gallery import write_gallery
from docs.sitekit.packages import ensure_packages
from docs.sitekit.stage import TOP, lay_out
from kmodlab.cli.environment import child_environment
from kmodlab.cli.stages import need_stages
from kmodlab.course.execute import execute, find_notebooks, write_notebooks
from kmodlab.errors import KmodlabError, UsageError
from kmodlab.progress import say, step

Folder = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--out", type=Folder, default=TOP / "out" / "site", help="Where the site goes; out/site if not given.")
@click.option("--executed", type=Folder, help="Lessons that were run already: the folder of `execute --keep`.")
@click.option("--reuse", is_flag=True, help="Take the lessons and pictures of the last time; for work on texts.")
def main(out: Path, executed: Path | None, reuse: bool) -> None:
    """Make the documentation's site and leave it in a folder; the last line is the path of its first page."""
    try:
        found = _make(out.absolute(), executed, reuse)
    except KmodlabError as error:
        say(f"docs: {error}")
        sys.exit(2 if isinstance(error, UsageError) else 3)
    for problem in found:
        say(problem)
    click.echo(out.absolute() / "index.html")
    sys.exit(1 if found else 0)


def _make(out: Path, executed: Path | None, reuse: bool) -> list[str]:
    if out.exists() and any(out.iterdir()) and not (out / "objects.inv").exists():
        raise UsageError(f"write {out}: there is something else in it; give another folder with --out")
    packages = ensure_packages()
    work = TOP / "out" / "docs"
    lessons = _lessons(work / "executed", executed, reuse)
    gallery = work / "gallery"
    if not (reuse and (gallery / "gallery.md").exists()):
        need_stages()
        write_gallery(gallery)
    extra = lay_out(work / "sources", lessons, gallery)
    shutil.rmtree(out, ignore_errors=True)
    with step("Writing pages"):
        if not _sphinx(packages, work / "sources", extra, out):
            return ["docs: sphinx found the above; every warning counts"]
    found = problems(out)
    (work / "external-links.txt").write_text("\n".join(external_links(out)) + "\n")
    return found


def _lessons(own: Path, given: Path | None, reuse: bool) -> list[Path]:
    """The lessons with their outputs."""
    folder = given or own
    if not given and not (reuse and any(own.glob("*.ipynb"))):
        need_stages()
        results = execute(find_notebooks([TOP / "notebooks"]), own.parent / "pages")
        for failed in (result for result in results if not result.ok):
            raise UsageError(f"run {failed.notebook.name}: {failed.error}")
        shutil.rmtree(own, ignore_errors=True)
        write_notebooks(results, own)
    return find_notebooks([folder])


def _sphinx(packages: Path, sources: Path, extra: Path, out: Path) -> bool:
    """Whether sphinx made the site without a warning; what it says goes to standard error."""
    environment = child_environment()
    environment["PYTHONPATH"] = os.pathsep.join([environment["PYTHONPATH"], str(packages)])
    argv = [sys.executable, "-P", "-m", "sphinx", "-b", "html", "-q", "-E", "-W", "--keep-going", "-j", "auto"]
    argv += ["-c", str(TOP / "docs"), "-d", str(sources.parent / "doctrees"), "-D", f"html_extra_path={extra}"]
    finished = subprocess.run([*argv, str(sources), str(out)], env=environment, stdout=sys.stderr, check=False)
    return finished.returncode == 0


if __name__ == "__main__":
    main()
