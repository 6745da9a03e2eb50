# SPDX-License-Identifier: MIT
"""Checks of the exercise ``quota``: a second module finds the functions by name and calls them."""

from __future__ import annotations

import random
from types import MappingProxyType

from kmodlab.build.build import build
from kmodlab.build.source import ModuleSource
from kmodlab.course import Trial, check, fail
from kmodlab.errors import ModuleLoadError

TOTAL = 100
LARGEST = 2**31 - 1

HINTS = {
    "export": (
        "Another module does not find the function.",
        "Below each of the two functions stands EXPORT_SYMBOL_GPL(its name); the function may not be static then.",
    ),
    "gpl": (
        "Modules under any licence may use the function now.",
        "EXPORT_SYMBOL() is for all, EXPORT_SYMBOL_GPL() for modules under a licence compatible with the GPL.",
    ),
    "take": ("quota_take() must subtract the units and return what is left.",),
    "give": ("quota_give() must add the units and return what is left.",),
    "all": (
        "What is there may be taken, down to the last unit.",
        "Compare with > and not with >=: who wants exactly what is left gets it.",
    ),
    "few": (
        "Less than one unit can be neither taken nor given: -EINVAL.",
        "An int may be 0 or negative. Taking -5 would be giving 5.",
    ),
    "many": ("So many are not left: -ENOSPC (no space left), and nothing changes.",),
    "full": (
        "More was given back than anybody can have.",
        "Nobody has more than QUOTA_TOTAL - left units. Everything above is -EINVAL.",
    ),
    "overflow": (
        "left + units can be more than an int holds; then it is negative, and smaller than QUOTA_TOTAL.",
        "Compare units with QUOTA_TOTAL - left: that cannot overflow.",
    ),
}

# The checker's own module, which calls the answer's functions as any other module would: "take 5", "give 3".
ASKER = """
#include <linux/module.h>
int quota_take(int units);
int quota_give(int units);
static int result;
module_param(result, int, 0444);
static int call_set(const char *text, const struct kernel_param *param)
{
	char name[8];
	int units;

	if (sscanf(text, "%7s %d", name, &units) != 2)
		return -EINVAL;
	result = strcmp(name, "take") ? quota_give(units) : quota_take(units);
	return 0;
}
static const struct kernel_param_ops call_ops = { .set = call_set };
module_param_cb(call, &call_ops, NULL, 0200);
static int __init asker_init(void)
{
	return 0;
}
static void __exit asker_exit(void)
{
}
module_init(asker_init);
module_exit(asker_exit);
MODULE_DESCRIPTION("Calls the functions of quota");
MODULE_LICENSE("GPL");
"""
# What kbuild is told that quota offers while it builds the above; it is never loaded.
OFFER = """
#include <linux/module.h>
int quota_take(int units);
int quota_give(int units);
int quota_take(int units)
{
	return units;
}
EXPORT_SYMBOL_GPL(quota_take);
int quota_give(int units)
{
	return units;
}
EXPORT_SYMBOL_GPL(quota_give);
MODULE_DESCRIPTION("What quota offers");
MODULE_LICENSE("GPL");
"""
FILES = {"Kbuild": b"obj-m := asker.o quota.o\n", "asker.c": ASKER.encode(), "quota.c": OFFER.encode()}


def begin(trial: Trial) -> None:
    """Load the answer, and beside it the module that asks."""
    trial.load()
    asker = build(ModuleSource("asker", MappingProxyType(FILES), ("asker", "quota")), trial.vm.kernel)
    try:
        trial.vm.insmod(asker)
    except ModuleLoadError as error:
        fail("export", f"another module wants to call both functions: {error}".partition(";")[0])


def call(trial: Trial, name: str, number: int) -> int:
    """Let the other module call a function; return what it returned."""
    trial.run(f"echo {name.removeprefix('quota_')} {number} > /sys/module/asker/parameters/call")
    return int(trial.run("cat /sys/module/asker/parameters/result").stdout)


def left(trial: Trial) -> int:
    """What the module says is left."""
    return int(trial.run("cat /sys/module/quota/parameters/left").stdout)


@check(points=2, passed="another module takes units and gives them back")
def lends(trial: Trial) -> None:
    """The ordinary way, down to nothing and back."""
    begin(trial)
    holders = trial.vm.lsmod().named("quota").holders
    trial.expect(holders == ("asker",), "export", f"quota is held by {', '.join(holders) or 'nobody'}")
    held, some = 0, random.randrange(2, 50)
    for units, hint in ((some, "take"), (1, "take"), (TOTAL - some - 1, "all")):
        got, held = call(trial, "quota_take", units), held + units
        seen = f"{TOTAL - held + units} are left, quota_take({units}) returns {got}"
        trial.expect(got == TOTAL - held, hint, seen)
        trial.expect(left(trial) == TOTAL - held, "take", f"{seen}, and then {left(trial)} are left")
    for units in (1, some, TOTAL - some - 1):
        got, held = call(trial, "quota_give", units), held - units
        trial.expect(got == TOTAL - held, "give", f"{held + units} are out, quota_give({units}) returns {got}")
        trial.expect(left(trial) == TOTAL - held, "give", f"after quota_give({units}) there are {left(trial)} left")


@check(points=3, passed="what cannot be is refused and changes nothing")
def keeps_its_bounds(trial: Trial) -> None:
    """Too little and too much, of both."""
    begin(trial)
    out = random.randrange(10, 90)
    got = call(trial, "quota_take", out)
    trial.expect(got == TOTAL - out, "take", f"quota_take({out}) of {TOTAL} returns {got}")
    bad = [("quota_take", units, -22, "few") for units in (0, -1, -LARGEST - 1)]
    bad += [("quota_take", units, -28, "many") for units in (TOTAL - out + 1, LARGEST)]
    bad += [("quota_give", units, -22, "few") for units in (0, -1, -LARGEST - 1)]
    bad += [("quota_give", out + 1, -22, "full"), ("quota_give", LARGEST, -22, "overflow")]
    for name, units, error, hint in bad:
        got = call(trial, name, units)
        now = left(trial)
        seen = f"{TOTAL - out} are left, {name}({units}) returns {got}, and then {now} are left"
        trial.expect((got, now) == (error, TOTAL - out), hint, seen)


@check(points=1, passed="only modules under the GPL may use the functions")
def is_for_the_gpl(trial: Trial) -> None:
    """How the two are exported, as the module's file says it."""
    exports = {export.name: export.gpl for export in trial.built.file.exports}
    for name in ("quota_take", "quota_give"):
        trial.expect(name in exports, "export", f"the module's file does not offer {name}()")
        trial.expect(exports[name], "gpl", f"{name}() is offered to modules under any licence")
