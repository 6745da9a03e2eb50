// SPDX-License-Identifier: GPL-2.0
/*
 * latch: a module that keeps itself in the kernel for as long as
 * /sys/module/latch/parameters/hold says 1.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sysfs.h>

static DEFINE_MUTEX(latch_lock);	/* guards holding */
static bool holding;

/* Somebody has written to "hold"; also called for "insmod latch.ko hold=1". */
static int hold_set(const char *text, const struct kernel_param *param)
{
	bool wanted;
	int err = kstrtobool(text, &wanted);

	if (err)
		return err;
	mutex_lock(&latch_lock);
	/*
	 * BEGIN SOLUTION: when it begins to hold, take one reference on this
	 * module, -EBUSY if there is none to be had; when it ends, give it back
	 */
	if (wanted && !holding && !try_module_get(THIS_MODULE)) {
		err = -EBUSY;
	} else {
		if (!wanted && holding)
			module_put(THIS_MODULE);
		holding = wanted;
	}
	/* SKELETON: holding = wanted; */
	/* END SOLUTION */
	mutex_unlock(&latch_lock);
	return err;
}

static int hold_get(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%d\n", READ_ONCE(holding));
}

static const struct kernel_param_ops hold_ops = {
	.set = hold_set,
	.get = hold_get,
};
module_param_cb(hold, &hold_ops, NULL, 0644);
MODULE_PARM_DESC(hold, "1: stay in the kernel, 0: may be unloaded");

static int __init latch_init(void)
{
	return 0;
}

static void __exit latch_exit(void)
{
}

module_init(latch_init);
module_exit(latch_exit);

MODULE_DESCRIPTION("Keeps itself in the kernel while it is told to");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
