# SPDX-License-Identifier: MIT
"""What holds for the whole tree: the order of imports, the exports, licences, what an import costs, the linters."""

from __future__ import annotations

import ast
import fnmatch
import importlib
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import kmodlab
from tests.parts import program

pytestmark = pytest.mark.checkout

TOP = Path(kmodlab.__file__).parent.parent
PACKAGE = TOP / "kmodlab"

# Nothing imports what stands below it. Names on one line are one layer.
LAYERS = """
errors config resources process aio progress shared
records
build
host
guest
machine
verdict
plot
course
jupyter pytest_plugin
cli
"""
RANKS = {name: rank for rank, line in enumerate(LAYERS.split("\n")) for name in line.split()}
# The two parts that do not know each other, but for what a kernel is.
HOST_MAY_IMPORT = {"kmodlab.build.kernel", "kmodlab.build.architecture"}


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [TOP / name for name in listed.stdout.split("\0") if name and (TOP / name).is_file()]


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules of kmodlab that a file imports, wherever in it, but not for type checking only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "kmodlab")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            if node.module and node.module.split(".")[0] == "kmodlab":
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imports(node)


def part(module: str) -> str:
    words = module.split(".")
    return words[1] if len(words) > 1 else ""


@pytest.mark.parametrize("file", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(file: Path) -> None:
    mine = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if mine in {"__init__", "__main__"}:
        return
    assert mine in RANKS, f"{mine} has no place in the order of layers"
    for module in imports(ast.parse(file.read_text())):
        theirs = part(module)
        if theirs in RANKS:
            assert RANKS[theirs] <= RANKS[mine], f"{module} stands above {mine}"
        if mine == "host" and theirs == "build":
            assert any(module.startswith(allowed) for allowed in HOST_MAY_IMPORT), f"{module} from host"
        if mine == "build":
            assert theirs != "host"


def test_no_circle_of_imports() -> None:
    edges: dict[str, set[str]] = {}
    names = {str(path.relative_to(TOP).with_suffix("")).replace("/", ".").removesuffix(".__init__") for path in files()}
    for path in files():
        mine = str(path.relative_to(TOP).with_suffix("")).replace("/", ".").removesuffix(".__init__")
        found = {name if name in names else name.rpartition(".")[0] for name in _at_import(ast.parse(path.read_text()))}
        edges[mine] = {name for name in found if name in names and name not in {"kmodlab", mine}}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join([*trail, name])
        if name not in done:
            for target in sorted(edges[name]):
                visit(target, (*trail, name))
            done.add(name)

    for name in sorted(edges):
        visit(name, ())


def _at_import(tree: ast.Module) -> Iterator[str]:
    """What a file imports when it is imported itself."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(ast.Module([node], []))


def test_only_one_file_starts_processes() -> None:
    starters = re.compile(r"\bimport subprocess\b|\bfrom subprocess\b|\bos\.(system|popen|spawn|posix_spawn|fork)\b")
    found = [str(path.relative_to(PACKAGE)) for path in files() if starters.search(path.read_text())]
    assert found == ["process.py"]


def test_the_public_names() -> None:
    assert kmodlab.__all__ == [
        "Machine",
        "ModuleSource",
        "__version__",
        "build",
        "errors",
        "load_ipython_extension",
        "panel",
        "plot",
        "settings",
        "try_module",
    ]
    for name in kmodlab.__all__:
        assert getattr(kmodlab, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        _ = kmodlab.nosuch


@pytest.mark.parametrize("file", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_says_what_it_exports(file: Path) -> None:
    name = str(file.relative_to(TOP).with_suffix("")).replace("/", ".").removesuffix(".__init__")
    text = file.read_text()
    if file.name == "__main__.py" or len(ast.parse(text).body) <= 1:
        return
    module = importlib.import_module(name)
    assert hasattr(module, "__all__"), "no __all__"
    for exported in module.__all__:
        assert hasattr(module, exported), exported


def test_the_version_is_one() -> None:
    assert tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["version"] == kmodlab.__version__


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys; before = set(sys.modules); import kmodlab; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    tops = {name.split(".")[0] for name in loaded.split()}
    heavy = {"matplotlib", "numpy", "networkx", "IPython", "ipywidgets", "elftools", "qemu", "asyncio", "click", "tqdm"}
    assert not tops & heavy


def test_importing_takes_no_longer_than_importing_asyncio() -> None:
    def seconds(module: str) -> float:
        code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
        runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(5)]
        return statistics.median(map(float, runs))

    assert seconds("kmodlab") < seconds("asyncio")


def test_files_say_their_licence() -> None:
    kinds = {".py": "MIT", ".sh": "MIT", ".yml": "MIT", ".toml": None, "": None, ".c": None, ".h": None}
    for path in tracked():
        if path.suffix not in kinds or path.is_relative_to(TOP / "tests/data") or path.is_relative_to(TOP / "LICENSES"):
            continue
        head = path.read_text(errors="replace")[:300]
        if path.suffix == "" and not head.startswith("#"):
            continue
        assert "SPDX-License-Identifier: " in head, path
        if kinds[path.suffix]:
            assert f"SPDX-License-Identifier: {kinds[path.suffix]}" in head, path


def test_no_path_of_one_machine_in_the_tree() -> None:
    homes = re.compile(r"/(?:home|Users)/(?!runner|learner|you\b|NAME)[a-z]\w+/|/work/")
    for path in tracked():
        if path.suffix in {".py", ".md", ".c", ".h", ".toml", ".yml", ".sh", ".ipynb"} and path != Path(__file__):
            found = homes.search(path.read_text(errors="replace"))
            assert not found, f"{path}: {found and found[0]}"


@pytest.mark.parametrize(
    "argv",
    [
        ["ruff", "check", "."],
        ["codespell", "."],
        ["mypy"],
    ],
    ids=lambda argv: argv[0],
)
def test_linters(argv: list[str]) -> None:
    program = Path(sys.executable).with_name(argv[0])
    if not program.exists():
        pytest.skip(f"no {argv[0]} in this environment")
    finished = subprocess.run([program, *argv[1:]], cwd=TOP, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_shell_scripts() -> None:
    scripts = [path for path in tracked() if path.suffix == ".sh" or path.read_bytes()[:10] == b"#!/bin/sh\n"]
    argv = [program("tools", "shellcheck"), *scripts]
    finished = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout


def test_no_folder_with_tests_is_passed_over(pytestconfig: pytest.Config) -> None:
    """Pytest leaves out folders of some names, "build" among them, without a word."""
    folders = {part for path in (TOP / "tests").rglob("test_*.py") for part in path.relative_to(TOP).parts[:-1]}
    left_out = pytestconfig.getini("norecursedirs")
    assert [name for name in sorted(folders) for pattern in left_out if fnmatch.fnmatch(name, pattern)] == []
