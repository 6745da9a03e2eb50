// SPDX-License-Identifier: GPL-2.0
/*
 * null_param: Follows a NULL pointer in the set callback of a parameter, when
 * it is changed after loading.
 */

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

struct mixer {
	int level;
};

static struct mixer *mixer;
static int level;

static int level_set(const char *text, const struct kernel_param *param)
{
	int err = param_set_int(text, param);

	if (err)
		return err;
	/* DELIBERATE BUG: the parameter can be set before there is a mixer */
	mixer->level = level; /* HERE */
	return 0;
}

static const struct kernel_param_ops level_ops = {
	.set = level_set,
	.get = param_get_int,
};
module_param_cb(level, &level_ops, &level, 0644);

static int __init null_param_init(void)
{
	return 0;
}

static void __exit null_param_exit(void)
{
}

module_init(null_param_init);
module_exit(null_param_exit);

MODULE_DESCRIPTION("Faulty on purpose: null_param");
MODULE_LICENSE("GPL");
