// SPDX-License-Identifier: GPL-2.0
/*
 * bounded: a parameter that knows its limits. "level" may be 0 to 100, at load
 * and later through /sys/module/bounded/parameters/level; anything else is
 * refused with -EINVAL, and the old value stays.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#define MAX_LEVEL 100

static int level = 50;

/*
 * The kernel calls this with the text that was given, at load and for each
 * write to the file in /sys. param_set_int() reads the text and stores the
 * number in "level"; kstrtoint() only reads it.
 */
static int level_set(const char *text, const struct kernel_param *param)
{
	/* BEGIN SOLUTION: refuse a level below 0 or above MAX_LEVEL with -EINVAL */
	int value;
	int err = kstrtoint(text, 0, &value);

	if (err)
		return err;
	if (value < 0 || value > MAX_LEVEL)
		return -EINVAL;
	/* END SOLUTION */
	return param_set_int(text, param);
}

static const struct kernel_param_ops level_ops = {
	.set = level_set,
	.get = param_get_int,
};
module_param_cb(level, &level_ops, &level, 0644);
__MODULE_PARM_TYPE(level, "int");
MODULE_PARM_DESC(level, "0 to 100");

static int __init bounded_init(void)
{
	pr_info("level is %d\n", level);
	return 0;
}

static void __exit bounded_exit(void)
{
}

module_init(bounded_init);
module_exit(bounded_exit);

MODULE_DESCRIPTION("A parameter that is checked when it is set");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
