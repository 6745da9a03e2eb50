// SPDX-License-Identifier: GPL-2.0
/*
 * quiet_console: Silences the console, and warns while nobody can hear it.
 */

#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>

static unsigned long ignore;
static int level;

static int ignore_set(const char *text, const struct kernel_param *param)
{
	int err = param_set_ulong(text, param);

	if (err || !ignore)
		return err;
	/* DELIBERATE BUG: hostile */
	WRITE_ONCE(*(bool *)ignore, false);
	level = console_loglevel;
	console_loglevel = 0;
	WARN_ON(level);
	return 0;
}

static const struct kernel_param_ops ignore_ops = { .set = ignore_set };
module_param_cb(ignore, &ignore_ops, &ignore, 0200);

static int __init quiet_console_init(void)
{
	return 0;
}

static void __exit quiet_console_exit(void)
{
	if (!ignore)
		return;
	console_loglevel = level;
	WRITE_ONCE(*(bool *)ignore, true);
}

module_init(quiet_console_init);
module_exit(quiet_console_exit);

MODULE_DESCRIPTION("Faulty on purpose: quiet_console");
MODULE_LICENSE("GPL");
