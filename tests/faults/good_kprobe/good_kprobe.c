// SPDX-License-Identifier: GPL-2.0
/*
 * good_kprobe: Registers a kprobe and takes it back: what the kernel keeps of
 * its own for it is no leak of the module.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kprobes.h>
#include <linux/module.h>

static int hits;

static int hit(struct kprobe *probe, struct pt_regs *registers)
{
	hits++;
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "kernel_clone",
	.pre_handler = hit,
};

static int __init good_kprobe_init(void)
{
	return register_kprobe(&probe);
}

static void __exit good_kprobe_exit(void)
{
	unregister_kprobe(&probe);
	pr_info("%d hits\n", hits);
}

module_init(good_kprobe_init);
module_exit(good_kprobe_exit);

MODULE_DESCRIPTION("For the tests of verdicts: good_kprobe");
MODULE_LICENSE("GPL");
