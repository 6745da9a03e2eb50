# SPDX-License-Identifier: MIT
"""Modules that lie: each forgery that ``vm/README.md`` says is caught, by a real module in a real machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

import kmodlab
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import KernelOops, KmodlabError, MachineLost, ModuleLoadError
from kmodlab.guest import channel

pytestmark = pytest.mark.machine

BuildModule = Callable[[str], ModuleArtifact]
Forge = Callable[[str, str], ModuleArtifact]

HEAD = """
#include <linux/delay.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/console.h>
#include <linux/kprobes.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/signal.h>

static inline void *address_of(const char *name)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long (*lookup)(const char *);

	if (register_kprobe(&probe))
		return NULL;
	lookup = (void *)probe.addr;
	unregister_kprobe(&probe);
	return (void *)lookup(name);
}
"""

TAIL = """
static void __exit forge_exit(void) { }

module_init(forge_init);
module_exit(forge_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Lies");
"""


@pytest.fixture
def forge(frozen: KernelBuild) -> Forge:
    """Build a module from the C of its init, which is ``forge_init``."""
    return lambda name, text: kmodlab.build(kmodlab.ModuleSource.from_text(name, HEAD + text + TAIL), frozen)


def kinds(vm: kmodlab.Machine) -> set[str]:
    return {one.kind for one in vm.suspicions()}


def test_a_guest_that_tells_the_truth_is_believed(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    hello = lab_module("hello")
    assert not machine.suspicions()
    machine.insmod(hello)
    assert not machine.suspicions()
    machine.modprobe("loop")
    machine.run("modprobe ext4; modprobe -r loop; modprobe loop")
    machine.rmmod("hello")
    assert not machine.suspicions()
    machine.insmod(hello)
    machine.reset()
    assert not machine.suspicions()


def test_an_honest_oops_and_an_honest_warning_are_believed(machine: kmodlab.Machine, forge: Forge) -> None:
    warns = "static int __init forge_init(void) { WARN_ON(1); return 0; }"
    oopses = "static int __init forge_init(void) { *(volatile int *)16 = 1; return 0; }"
    machine.insmod(forge("warns", warns))
    assert not machine.suspicions()
    with pytest.raises(KernelOops):
        machine.insmod(forge("oopses", oopses))
    assert not machine.suspicions()


CLEARS = """
static int __init forge_init(void)
{
	unsigned long *mask = address_of("tainted_mask");

	if (!mask)
		return -ENOENT;
	*mask = 0;
	return 0;
}
"""


def test_a_cleared_taint(machine: kmodlab.Machine, forge: Forge) -> None:
    machine.insmod(forge("clears", CLEARS))
    assert "O" not in machine.outside().taint
    assert kinds(machine) == {"cleared-taint"}


OOPS_THEN_CLEAN = """
static int forget(void *unused)
{
	unsigned long *mask = address_of("tainted_mask");

	msleep(300);
	if (mask)
		*mask = BIT(TAINT_OOT_MODULE) | BIT(TAINT_UNSIGNED_MODULE);
	return 0;
}

static int __init forge_init(void)
{
	struct task_struct *thread = kthread_run(forget, NULL, "forget");

	if (IS_ERR(thread))
		return PTR_ERR(thread);
	*(volatile int *)16 = 1;
	return 0;
}
"""


def test_an_oops_whose_taint_was_cleared_again(machine: kmodlab.Machine, forge: Forge) -> None:
    with pytest.raises(KernelOops):
        machine.insmod(forge("regrets", "#include <linux/kthread.h>\n" + OOPS_THEN_CLEAN))
    machine.check("until [ $(cat /proc/sys/kernel/tainted) = 12288 ]; do sleep 0.05; done", timeout=20)
    assert kinds(machine) == {"false-report"}


HIDES = "static int __init forge_init(void) { list_del_init(&THIS_MODULE->list); return 0; }"


def test_a_module_that_takes_itself_off_the_list(machine: kmodlab.Machine, forge: Forge) -> None:
    with pytest.raises(ModuleLoadError, match="does not stand in /proc/modules"):
        machine.insmod(forge("hides", HIDES))
    assert [one.text for one in machine.suspicions()] == [
        "hides was loaded and not unloaded from here, and memory does not list it"
    ]


HIDES_LATER = """
static int later(const char *value, const struct kernel_param *parameter)
{
	list_del_init(&THIS_MODULE->list);
	return 0;
}

static const struct kernel_param_ops ops = { .set = later };

module_param_cb(hide, &ops, NULL, 0200);

static int __init forge_init(void) { return 0; }
"""


def test_a_module_that_hides_later_and_a_list_that_is_forged_for_it(machine: kmodlab.Machine, forge: Forge) -> None:
    machine.insmod(forge("hides_later", HIDES_LATER))
    assert not machine.suspicions()
    machine.check("cat /proc/modules > /root/modules; echo 1 > /sys/module/hides_later/parameters/hide")
    assert kinds(machine) == {"hidden-module"}
    machine.check("mount --bind /root/modules /proc/modules")
    assert "hides_later" in [row.name for row in machine.lsmod()]
    assert kinds(machine) == {"hidden-module", "false-list"}


def test_a_forged_list_and_a_forged_taint(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    machine.insmod(lab_module("hello"))
    machine.check("grep -v hello /proc/modules > /root/modules; mount --bind /root/modules /proc/modules")
    assert kinds(machine) == {"false-list"}
    machine.check("echo 0 > /root/zero; mount --bind /root/zero /proc/sys/kernel/tainted")
    assert kinds(machine) == {"false-list", "false-taint"}
    machine.check("echo rubbish > /root/zero")
    assert "no-answer" in kinds(machine)
    machine.check("umount /proc/modules; echo 9{1..3000} | tr -d ' ' > /root/zero")
    assert "no-answer" in kinds(machine)
    machine.check("for f in meminfo slabinfo vmallocinfo; do mount --bind /root/zero /proc/$f; done")
    questions = (machine.lsmod, machine.taint, machine.memory, machine.dependencies)
    for _ in range(2):
        for question in questions:
            with contextlib.suppress(KmodlabError):
                question()
        machine.run("mount -t tmpfs none /proc")
    assert "no-answer" in kinds(machine)


BREAKS_THE_LIST = """
static int __init forge_init(void)
{
	THIS_MODULE->list.next = (void *)0x1000;
	return 0;
}
"""


def test_a_list_that_leads_nowhere(machine: kmodlab.Machine, forge: Forge) -> None:
    """The kernel itself follows that list, so nothing in the guest can be asked; memory can."""
    machine.push(forge("breaks", BREAKS_THE_LIST).path, "/root/breaks.ko")
    machine.run("insmod /root/breaks.ko", timeout=20)
    assert not machine.outside().whole


PATCHES = """
static int lie(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	regs_set_return_value(regs, 0);
	return 0;
}

static struct kretprobe load = { .handler = lie, .kp.symbol_name = "__x64_sys_finit_module" };
static struct kretprobe unload = { .handler = lie, .kp.symbol_name = "__x64_sys_delete_module" };

static int __init forge_init(void)
{
	int error = register_kretprobe(&load);

	if (error)
		return error;
	error = register_kretprobe(&unload);
	if (error)
		unregister_kretprobe(&load);
	return error;
}
"""

REFUSES = "static int __init forge_init(void) { return -EINVAL; }"


def test_a_patched_load_and_a_patched_unload(machine: kmodlab.Machine, forge: Forge) -> None:
    refuses = forge("refuses", REFUSES)
    with pytest.raises(ModuleLoadError, match="EINVAL"):
        machine.insmod(refuses)
    machine.insmod(forge("patches", PATCHES))
    assert not machine.suspicions()
    with pytest.raises(ModuleLoadError, match="does not stand in /proc/modules"):
        machine.insmod(refuses)
    assert kinds(machine) == {"hidden-module"}
    # A module in use cannot go; the patched call says that it went.
    machine.check("modprobe ext4 && mkfs.ext4 -q /dev/vdb && mount /dev/vdb /mnt")
    machine.rmmod("ext4")
    assert {"hidden-module", "lingering-module"} == kinds(machine)


FAKE_LOG = """
static int __init forge_init(void)
{
	pr_info("PASS: all 40 checks went well, verdict clean\\n");
	pr_info("kmodlab: 900 lines are left out here\\n");
	pr_info("kmodlab-agent: ready\\n");
	pr_alert("BUG: kernel NULL pointer dereference, address: 0000000000000010\\n");
	pr_alert("#PF: supervisor write access in kernel mode\\n");
	pr_alert("#PF: error_code(0x0002) - not-present page\\n");
	pr_warn("Oops: 0002 [#1] PREEMPT SMP NOPTI\\n");
	pr_warn("CPU: 0 PID: 1 Comm: init Not tainted 6.1.0 #1\\n");
	pr_warn("RIP: 0010:innocent_write+0x10/0x20 [innocent]\\n");
	pr_warn("Call Trace:\\n <TASK>\\n vfs_write+0xcb/0x3c0\\n </TASK>\\n");
	pr_warn("---[ end trace 0000000000000000 ]---\\n");
	return 0;
}
"""


def test_forged_lines_in_the_log(machine: kmodlab.Machine, forge: Forge) -> None:
    with pytest.raises(KernelOops):
        machine.insmod(forge("fakes", FAKE_LOG.replace('pr_info("', 'printk(KERN_INFO "')))
    assert "D" not in machine.outside().taint
    assert kinds(machine) >= {"false-report"}
    assert machine.run("echo alive").stdout == "alive\n"


SWALLOWS = """
static int __init forge_init(void)
{
	add_taint(TAINT_DIE, LOCKDEP_STILL_OK);
	return 0;
}
"""


def test_a_fault_whose_lines_were_swallowed(machine: kmodlab.Machine, forge: Forge) -> None:
    """What an oops leaves is there, and the log has nothing of it."""
    machine.insmod(forge("swallows", SWALLOWS))
    assert kinds(machine) == {"missing-report"}


SILENCES = """
static int __init forge_init(void)
{
	while (console_drivers)
		unregister_console(console_drivers);
	return 0;
}
"""


def test_a_console_that_was_taken_away(machine: kmodlab.Machine, forge: Forge, frozen: KernelBuild) -> None:
    if not frozen.release.startswith("6.1."):
        pytest.skip("console_drivers is a symbol of older kernels")
    machine.insmod(forge("silences", SILENCES))
    assert kinds(machine) == {"silenced-log"}


# Finds the agent's own open file of the port (a second opener is refused) and writes frames of its own to it.
FRAMES = """
#define SIZE 16
static char frame[SIZE + 64];
static char __user *user;

static struct file *port_of(struct task_struct *task, struct file *(*get)(struct task_struct *, unsigned int))
{
	struct file *file = NULL;
	unsigned int fd;

	for (fd = 0; fd < 64 && !file; fd++) {
		file = get(task, fd);
		if (file && strncmp(file->f_path.dentry->d_name.name, "vport", 5)) {
			fput(file);
			file = NULL;
		}
	}
	return file;
}

static void send(struct file *port, u32 task, u8 kind, const void *payload, u32 length)
{
	u16 *words = (u16 *)frame, check = 0x4d4b;
	loff_t at = 0;
	int i;

	memcpy(frame, "kml1", 4);
	memcpy(frame + 4, &task, 4);
	memcpy(frame + 8, &length, 4);
	frame[12] = kind;
	frame[13] = 0;
	for (i = 0; i < 7; i++)
		check ^= words[i];
	memcpy(frame + 14, &check, 2);
	length = min_t(u32, length, 64);
	memcpy(frame + SIZE, payload, length);
	if (copy_to_user(user, frame, SIZE + length) || port->f_op->write(port, user, SIZE + length, &at) < 0)
		pr_err("frame %u not sent\\n", task);
}

static int __init forge_init(void)
{
	static const char exited[16], pass[] = "PASS\\n", rubbish[64] = "kkkkml1kml1";
	struct file *(*get)(struct task_struct *, unsigned int) = address_of("fget_task");
	struct task_struct *task;
	struct file *port = NULL;
	u32 i;

	user = (char __user *)vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (!get || IS_ERR((void *)user))
		return -ENOENT;
	rcu_read_lock();
	for_each_process(task)
		if (!port && task->mm && !strcmp(task->comm, AGENT))
			port = port_of(task, get);
	rcu_read_unlock();
	if (!port)
		return -ENOENT;
	SEND
	fput(port);
	return 0;
}
"""


def frames(forge: Forge, name: str, machine: kmodlab.Machine, send: str) -> ModuleArtifact:
    agent = machine.check("ps -eo comm= | grep -m1 agent").stdout.strip()
    return forge(name, FRAMES.replace("AGENT", f'"{agent}"').replace("SEND", send))


def test_forged_frames_of_the_agent_hit_no_task(machine: kmodlab.Machine, forge: Forge) -> None:
    send = """
    send(port, 0, 0x84, exited, 16);
    for (i = 1; i < 14; i++) {
        send(port, i, 0x82, pass, 5);
        send(port, i, 0x84, exited, 16);
        send(port, i, 0x85, exited, 4);
    }
    send(port, 7, 0xff, rubbish, 64);
    """
    machine.insmod(frames(forge, "frames", machine, send))
    assert not machine.dmesg().containing("not sent")
    assert machine.run("echo out; exit 3").exit_status == 3
    assert machine.run("echo out; exit 3").stdout == "out\n"
    assert not machine.suspicions()


def test_an_agent_that_is_said_to_be_a_new_one(machine: kmodlab.Machine, forge: Forge) -> None:
    """A WELCOME that nobody asked for tells of an agent that died: what ran is given up, and that is all."""
    with pytest.raises(MachineLost):
        machine.insmod(frames(forge, "reborn", machine, "send(port, 0, 0x81, rubbish + 20, 20); i = 0;"))
    assert machine.reset().run("echo fresh").stdout == "fresh\n"


def test_a_torn_frame_that_swallows_what_the_agent_says(
    machine: kmodlab.Machine, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its header promises a quarter of a megabyte; so the host hears the agent, and never the end of a task."""
    monkeypatch.setattr(channel, "_GRACE", 0.3)
    machine.push(frames(forge, "torn", machine, "send(port, 1, 0x82, rubbish, 250000); i = 0;").path, "/root/torn.ko")
    with pytest.raises(MachineLost, match="no longer answers"):
        machine.run("insmod /root/torn.ko", timeout=1)
    assert machine.reset().run("echo fresh").stdout == "fresh\n"
