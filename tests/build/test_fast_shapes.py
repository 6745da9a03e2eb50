# SPDX-License-Identifier: MIT
"""The quick way for more than a plain file: several files, exports, tables of devices, what modinfo shows."""

from __future__ import annotations

from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.build import build
from kmodlab.build.fast import fast
from kmodlab.build.kbuild import Made, kbuild
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.shape import parts_of
from kmodlab.build.source import ModuleSource
from kmodlab.config import Settings
from kmodlab.errors import CompileError
from tests.build.likeness import same

pytestmark = pytest.mark.build

BLOCK = '#define pr_fmt(fmt) KBUILD_MODNAME ": " KBUILD_BASENAME ": " fmt\n#include <linux/module.h>\n'
ENTRY = """static int __init begin(void)
{{
	pr_info("begins with %d\\n", {call});
	return 0;
}}
module_init(begin);
static void __exit end(void)
{{
	pr_info("ends\\n");
}}
module_exit(end);
MODULE_DESCRIPTION("d");
MODULE_LICENSE("GPL");
"""
EXPORTS = """struct shape_thing {
	int number;
	struct device *device;
	u64 (*ask)(const struct shape_thing *thing, enum shape_kind kind);
};
int shape_one(struct shape_thing *thing)
{
	return thing ? thing->number : 1;
}
EXPORT_SYMBOL(shape_one);
unsigned long shape_table[4] = { 1, 2, 3 };
EXPORT_SYMBOL_GPL(shape_table);
"""
DECLARES = """enum shape_kind { SHAPE_ROUND, SHAPE_FLAT = 3 };
struct shape_thing;
int shape_one(struct shape_thing *thing);
extern unsigned long shape_table[4];
"""
TABLES = """#include <linux/pci.h>
#include <linux/usb.h>
#include <linux/acpi.h>
#include <linux/i2c.h>
#include <linux/mod_devicetable.h>
"""
DEVICES = """static const struct pci_device_id pci[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) }, { PCI_DEVICE_CLASS(0x20000, ~0) }, { }
};
MODULE_DEVICE_TABLE(pci, pci);
static const struct usb_device_id usb[] = { { USB_DEVICE(0x1d6b, 2) }, { USB_INTERFACE_INFO(3, 1, 2) }, { } };
MODULE_DEVICE_TABLE(usb, usb);
static const struct acpi_device_id acpi[] = { { "PNP0501", 0 }, { } };
MODULE_DEVICE_TABLE(acpi, acpi);
static const struct of_device_id of[] = { { .compatible = "thing,x" }, { } };
MODULE_DEVICE_TABLE(of, of);
static const struct i2c_device_id i2c[] = { { "thing", 1 }, { } };
MODULE_DEVICE_TABLE(i2c, i2c);
static const struct platform_device_id platform[] = { { "thing-platform" }, { } };
MODULE_DEVICE_TABLE(platform, platform);
"""
SHOWN = """MODULE_VERSION("1.2");
MODULE_ALIAS("thing:x*");
MODULE_SOFTDEP("pre: crc32c post: loop");
MODULE_FIRMWARE("thing.bin");
MODULE_AUTHOR("A. N. Other <a@example.org>");
static int number = 3;
module_param(number, int, 0444);
MODULE_PARM_DESC(number, "how many");
"""
KBUILD = "obj-m := shape.o\nshape-y := main.o other.o\n"
PLAIN = ENTRY.format(call="1")
CALLS = f'{BLOCK}#include "shape.h"\n{ENTRY.format(call="shape_one(NULL)")}'

SHAPES = {
    "exports": {"shape.c": BLOCK + DECLARES + EXPORTS + PLAIN},
    "exports per processor, in a namespace": {
        "shape.c": f"{BLOCK}DEFINE_PER_CPU(int, shape_count);\nEXPORT_PER_CPU_SYMBOL(shape_count);\n{PLAIN}"
        "int shape_two(void);\nint shape_two(void) { return 2; }\nEXPORT_SYMBOL_NS_GPL(shape_two, SPACE);\n"
    },
    "exports nothing after all": {"shape.c": f"{BLOCK}/* no EXPORT_SYMBOL here */\n{PLAIN}"},
    "devices": {"shape.c": BLOCK + TABLES + DEVICES + PLAIN},
    "shown": {"shape.c": BLOCK + SHOWN + PLAIN},
    "a version of some files": {
        "shape.c": f'{BLOCK}#include "used.h"\n#ifdef UNUSED\n#include "unused.h"\n#endif\n{SHOWN}{PLAIN}',
        "used.h": '#include "inner.inc"\n#include "other_names.h"\n',
        "inner.inc": "#define INNER 1\n",
        "other_names.h": "#define NAMES 1\n",
        "unused.h": "#define OTHER 1\n",
    },
    "several": {
        "Kbuild": KBUILD,
        "main.c": CALLS,
        "shape.h": DECLARES,
        "other.c": '#include <linux/kernel.h>\n#include "shape.h"\n'
        "int shape_one(struct shape_thing *thing) { return thing ? 2 : 1; }\n",
    },
    "several that export": {
        "Kbuild": KBUILD.replace("shape-y", "shape-objs"),
        "main.c": CALLS,
        "shape.h": DECLARES,
        "other.c": f'{BLOCK}#include "shape.h"\n{EXPORTS}{SHOWN}',
    },
    "several with devices": {
        "Kbuild": KBUILD.replace("other.o", "other.o third.o"),
        "main.c": CALLS,
        "shape.h": DECLARES,
        "other.c": f'{BLOCK}#include "shape.h"\nint shape_one(struct shape_thing *thing) {{ return !thing; }}\n{SHOWN}',
        "third.c": BLOCK + TABLES + DEVICES,
    },
    "several with a warning each": {
        "Kbuild": KBUILD,
        "main.c": f"{BLOCK}int first(void) {{ int x; return 0; }}\n{PLAIN}",
        "other.c": f"{BLOCK}int second(void) {{ int y; return 0; }}\n",
    },
}  # fmt: skip
WRONG = {
    "in the second": {
        **SHAPES["several"],
        "other.c": '#include <linux/kernel.h>\n#include "shape.h"\nint f(void) { g }\n',
    },
    "the kernel's own name": {
        "shape.c": f"{BLOCK}int kmalloc_caches_x;\nvoid *vzalloc(unsigned long n) {{ return NULL; }}\n"
        f"EXPORT_SYMBOL(vzalloc);\n{PLAIN}"
    },
    "undefined": {**SHAPES["several"], "other.c": "#include <linux/kernel.h>\nint nothing;\n"},
    "no licence": {**SHAPES["several"], "main.c": CALLS.replace('MODULE_LICENSE("GPL");', "")},
}


def source_of(folder: Path, files: dict[str, str]) -> ModuleSource:
    folder.mkdir()
    for name, text in {"Kbuild": "obj-m := shape.o\n", **files}.items():
        (folder / name).write_text(text)
    return ModuleSource.from_path(folder)


def both_ways(kernel: KernelBuild, source: ModuleSource) -> tuple[Made, Made]:
    quick = fast(source, kernel, kmodlab.settings().cache, timeout=100)
    assert quick is not None
    return quick, kbuild(source, kernel, timeout=100)


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_what_kbuild_makes(kernel: KernelBuild, tmp_path: Path, shape: str) -> None:
    quick, reference = both_ways(kernel, source_of(tmp_path / "shape", SHAPES[shape]))
    assert quick.exit_status == 0, quick.output
    assert sorted(map(str, quick.diagnostics)) == sorted(map(str, reference.diagnostics))
    assert quick.files["shape.mod.c"] == reference.files["shape.mod.c"]
    assert same(quick.files["shape.ko"], reference.files["shape.ko"], tmp_path / "object")


@pytest.mark.parametrize("fault", WRONG)
def test_each_fault_is_told_as_kbuild_tells_it(kernel: KernelBuild, tmp_path: Path, fault: str) -> None:
    quick, reference = both_ways(kernel, source_of(tmp_path / "shape", WRONG[fault]))
    assert bool(quick.exit_status) == bool(reference.exit_status)
    assert quick.diagnostics == reference.diagnostics


def test_a_checksum_follows_the_type(kernel: KernelBuild, own: Settings, tmp_path: Path) -> None:
    """What genksyms makes of a symbol changes with what its type is made of, wherever that is written."""
    code = f'{BLOCK}#include "shape.h"\nint sum(struct pair *p) {{ return p->a + p->b; }}\nEXPORT_SYMBOL(sum);\n{PLAIN}'
    texts = []
    for number, kind in enumerate(("int", "short", "int")):
        files = {"shape.c": code, "shape.h": f"struct pair {{ int a; {kind} b; }};\nint sum(struct pair *p);\n"}
        made = fast(source_of(tmp_path / str(number), files), kernel, own.cache, timeout=100)
        assert made is not None
        texts.append(made.files["shape.mod.c"])
    assert texts[0] == texts[2] != texts[1]


def test_every_file_s_errors_are_told_at_once(kernel: KernelBuild, own: Settings, tmp_path: Path) -> None:
    files = {
        "Kbuild": KBUILD,
        "main.c": f"{BLOCK}static int first(void) {{ return nothing_one; }}\n{PLAIN}",
        "other.c": f"{BLOCK}int second(void) {{ return nothing_two; }}\n",
    }
    with pytest.raises(CompileError) as caught:
        build(source_of(tmp_path / "shape", files), kernel, settings=own)
    errors = [one for one in caught.value.diagnostics if one.severity == "error"]
    assert list(dict.fromkeys((one.file, one.line) for one in errors)) == [("main.c", 3), ("other.c", 3)]


@pytest.mark.parametrize(
    ("kbuild_text", "files"),
    [
        (KBUILD, ("main", "other")),
        ("# made by hand\nobj-m += shape.o\n\nshape-objs = main.o other.o # two\n", ("main", "other")),
        ("obj-m := shape.o\n", ()),
        ("obj-m := shape.o\nshape-y := main.o other.o third.o\n", ()),
        ("obj-m := shape.o\nshape-y := main.o main.o\n", ()),
        ("obj-m := shape.o\nshape-y := main.o other.o\nccflags-y := -DX\n", ()),
        ("obj-m := shape.o\nshape-y := main.o sub/other.o\n", ()),
        ("obj-m := shape.o\nshape-$(CONFIG_PCI) := main.o other.o\n", ()),
        ("obj-m := shape.o thing.o\nshape-y := main.o other.o\n", ()),
    ],
)
def test_which_kbuilds_are_known(tmp_path: Path, kbuild_text: str, files: tuple[str, ...]) -> None:
    text = BLOCK + PLAIN
    source = source_of(tmp_path / "shape", {"Kbuild": kbuild_text, "main.c": text, "other.c": text})
    assert tuple(part.file for part in parts_of(source)) == files
