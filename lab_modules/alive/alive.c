// SPDX-License-Identifier: GPL-2.0
/*
 * alive: a module that knows how long it has been loaded. Its parameter "ms",
 * the file /sys/module/alive/parameters/ms, is computed at each read and may
 * not be set.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sysfs.h>

static ktime_t loaded;	/* the moment at which this module was loaded */

/*
 * The kernel calls this for each read of the file. What it writes to "buffer"
 * is what the program gets, and what it returns is how many bytes these are.
 *
 * ktime_get() is the time now, in nanoseconds since boot. ktime_ms_delta(a, b)
 * is by how many milliseconds a is later than b. sysfs_emit(buffer, format, …)
 * writes like sprintf() and returns how many bytes it wrote; the number here is
 * a "%lld".
 */
static int ms_get(char *buffer, const struct kernel_param *param)
{
	/* BEGIN SOLUTION: the milliseconds since loading, and a newline */
	return sysfs_emit(buffer, "%lld\n", ktime_ms_delta(ktime_get(), loaded));
	/* SKELETON: return -EIO; */
	/* END SOLUTION */
}

/* The kernel calls this for "insmod alive.ko ms=5". */
static int ms_set(const char *text, const struct kernel_param *param)
{
	/* BEGIN SOLUTION: refuse it with -EPERM, "operation not permitted" */
	return -EPERM;
	/* SKELETON: return 0; */
	/* END SOLUTION */
}

static const struct kernel_param_ops ms_ops = {
	.set = ms_set,
	.get = ms_get,
};
module_param_cb(ms, &ms_ops, NULL, 0444);
__MODULE_PARM_TYPE(ms, "int");
MODULE_PARM_DESC(ms, "milliseconds since the module was loaded (read only)");

static int __init alive_init(void)
{
	/* BEGIN SOLUTION: note the time */
	loaded = ktime_get();
	/* END SOLUTION */
	return 0;
}

static void __exit alive_exit(void)
{
	pr_info("was here for %lld ms\n", ktime_ms_delta(ktime_get(), loaded));
}

module_init(alive_init);
module_exit(alive_exit);

MODULE_DESCRIPTION("Knows how long it has been loaded");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
