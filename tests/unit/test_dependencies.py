# SPDX-License-Identifier: MIT
"""Which module leans on which: btrfs and two modules of our own, from a real kernel's files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kmodlab.errors import UsageError
from kmodlab.records import DependencyGraph, Export
from tests.unit.captured import data, loaded_modules, module_files


def full() -> DependencyGraph:
    return DependencyGraph.from_rows(loaded_modules(), module_files(), data("modules.dep"), data("modules.softdep"))


def test_edges_and_refcounts_are_those_of_proc_modules() -> None:
    graph = full()
    hard = {(edge.user, edge.provider) for edge in graph.edges if not edge.soft}
    assert hard == {(holder, row.name) for row in loaded_modules() for holder in row.holders}
    for row in loaded_modules():
        assert graph.node(row.name).refcount == row.refcount
        assert graph.node(row.name).size == row.size
        assert row.refcount is not None
        assert len(graph.users(row.name).where(soft=False)) <= row.refcount


def test_symbols_of_our_own_pair() -> None:
    (edge,) = full().providers("leaner").where(soft=False)
    assert (edge.provider, edge.symbols) == ("anatomy", ("anatomy_spaced", "anatomy_sum"))


def test_btrfs_leans_on_the_distributions_modules_by_their_symbols() -> None:
    edges = {edge.provider: edge.symbols for edge in full().providers("btrfs") if not edge.soft}
    assert set(edges) == {"libcrc32c", "xor", "raid6_pq", "zstd_compress"}
    assert edges["xor"] == ("xor_blocks",)
    assert "raid6_call" in edges["raid6_pq"]
    assert all(edges.values())


def test_every_hard_edge_among_known_files_has_symbols() -> None:
    assert all(edge.symbols for edge in full().edges if not edge.soft)


def test_one_more_exported_symbol_shows() -> None:
    files = module_files()
    files["anatomy"] = replace(files["anatomy"], exports=(*files["anatomy"].exports, Export("anatomy_more", True)))
    files["leaner"] = replace(files["leaner"], imports=(*files["leaner"].imports, "anatomy_more"))
    (edge,) = DependencyGraph.from_rows(loaded_modules(), files).providers("leaner").where(soft=False)
    assert edge.symbols == ("anatomy_spaced", "anatomy_sum", "anatomy_more")


def test_rows_alone_give_edges_without_symbols() -> None:
    graph = DependencyGraph.from_rows(loaded_modules())
    assert {(edge.user, edge.provider) for edge in graph.edges} >= {("btrfs", "xor"), ("leaner", "anatomy")}
    assert {edge.symbols for edge in graph.edges} == {()}


def test_soft_dependencies_among_what_is_loaded() -> None:
    soft = {(edge.user, edge.provider) for edge in full().edges if edge.soft}
    assert ("leaner", "xor") in soft
    assert not any(user == "btrfs" and provider == "xor" for user, provider in soft)


def test_around_is_what_it_needs_and_what_needs_it() -> None:
    names = {node.name for node in full().around("libcrc32c").nodes}
    assert {"btrfs", "nf_nat", "nft_chain_nat", "libcrc32c"} <= names
    assert not {"leaner", "ext4", "virtio_net"} & names
    assert {node.name for node in full().connected().nodes} < {node.name for node in full().nodes}
    with pytest.raises(UsageError, match="nothere"):
        full().around("nothere")


def test_a_module_that_is_not_loaded_shows_what_it_would_need() -> None:
    rows = loaded_modules().filter(lambda row: row.name not in ("btrfs", "xor", "leaner"))
    graph = DependencyGraph.from_rows(rows, module_files(), data("modules.dep"))
    assert not graph.node("btrfs").loaded
    assert graph.node("btrfs").size is None
    assert {edge.provider for edge in graph.providers("btrfs")} == {"libcrc32c", "xor", "raid6_pq", "zstd_compress"}
    assert {edge.provider for edge in graph.providers("leaner").where(soft=False)} == {"anatomy"}


def test_modules_dep_alone_leaves_out_the_indirect_ones() -> None:
    files = {name: replace(file, imports=(), exports=()) for name, file in module_files().items()}
    graph = DependencyGraph.from_rows((), files, data("modules.dep"))
    assert {edge.provider for edge in graph.providers("nft_chain_nat")} == {"nf_nat", "nf_tables"}
    assert ("nft_chain_nat", "libcrc32c") not in {(edge.user, edge.provider) for edge in graph.edges}


def test_tables() -> None:
    graph = full().around("anatomy")
    assert "anatomy_spaced, anatomy_sum" in str(graph)
    assert "<caption" in graph._repr_html_()
