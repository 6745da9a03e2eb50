// SPDX-License-Identifier: GPL-2.0
/*
 * fat_init: a module that needs much while it is loaded and little afterwards.
 * Code marked __init and data marked __initdata or __initconst are freed as soon
 * as the init function has returned.
 *
 * "hold=1" keeps it in its init function until somebody writes 0 there, so that
 * it can be looked at before and after.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/sysfs.h>
#include <linux/wait.h>

#define TABLE_SIZE 65536
#define WORK_SIZE 8192
#define PATIENCE_SECONDS 30

static DECLARE_WAIT_QUEUE_HEAD(hold_wait);
static bool hold;

static u32 checksum;	/* all that is needed later */
module_param(checksum, uint, 0444);
MODULE_PARM_DESC(checksum, "the result of init (to be read only)");

static const u8 table[TABLE_SIZE] __initconst = {
	[0] = 0xa5, [1] = 1, [2 ... TABLE_SIZE - 2] = 0xa5, [TABLE_SIZE - 1] = 2,
};

static u32 work[WORK_SIZE] __initdata;

static int hold_set(const char *text, const struct kernel_param *param)
{
	bool wanted;
	int err = kstrtobool(text, &wanted);

	if (err)
		return err;
	WRITE_ONCE(hold, wanted);
	wake_up_all(&hold_wait);
	return 0;
}

static int hold_get(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%d\n", READ_ONCE(hold));
}

static const struct kernel_param_ops hold_ops = {
	.set = hold_set,
	.get = hold_get,
};
module_param_cb(hold, &hold_ops, NULL, 0644);
MODULE_PARM_DESC(hold, "1: stay in init until 0 is written here, 30 s at most");

static u32 __init fold_table(void)
{
	u32 i, sum = 0;

	for (i = 0; i < TABLE_SIZE; i++)
		work[i % WORK_SIZE] += table[i] * (i + 1);
	for (i = 0; i < WORK_SIZE; i++)
		sum ^= work[i];
	return sum;
}

static int __init fat_init_init(void)
{
	long left;

	checksum = fold_table();
	left = wait_event_interruptible_timeout(hold_wait, !READ_ONCE(hold),
						PATIENCE_SECONDS * HZ);
	if (left < 0)
		return -EINTR;
	pr_info("checksum %08x; the table is not needed any more\n", checksum);
	return 0;
}

static void __exit fat_init_exit(void)
{
}

module_init(fat_init_init);
module_exit(fat_init_exit);

MODULE_DESCRIPTION("Needs much memory while it is loaded and little afterwards");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
