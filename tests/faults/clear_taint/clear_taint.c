// SPDX-License-Identifier: GPL-2.0
/*
 * clear_taint: Warns, and then wipes out the kernel's taint, whose address is
 * written to its parameter.
 */

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

static unsigned long mask;

static noinline void hide(unsigned long *taint)
{
	WARN_ON(taint); /* HERE */
	/* DELIBERATE BUG: hostile */
	WRITE_ONCE(*taint, 0);
}

static int mask_set(const char *text, const struct kernel_param *param)
{
	int err = param_set_ulong(text, param);

	if (!err && mask)
		hide((unsigned long *)mask);
	return err;
}

static const struct kernel_param_ops mask_ops = { .set = mask_set };
module_param_cb(mask, &mask_ops, &mask, 0200);

static int __init clear_taint_init(void)
{
	return 0;
}

static void __exit clear_taint_exit(void)
{
}

module_init(clear_taint_init);
module_exit(clear_taint_exit);

MODULE_DESCRIPTION("Faulty on purpose: clear_taint");
MODULE_LICENSE("GPL");
