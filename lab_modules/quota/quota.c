// SPDX-License-Identifier: GPL-2.0
/*
 * quota: a hundred units, which other modules take and give back through two
 * functions. What is left stands in /sys/module/quota/parameters/left.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>

#define QUOTA_TOTAL 100

/* Other modules would find these two lines in a header. */
int quota_take(int units);
int quota_give(int units);

static DEFINE_MUTEX(quota_lock);	/* guards left */
static int left = QUOTA_TOTAL;
module_param(left, int, 0444);
MODULE_PARM_DESC(left, "the units that nobody has (to be read only)");

/* Takes units: returns how many are left then, or an error. */
int quota_take(int units)
{
	int result = -EINVAL;

	/*
	 * BEGIN SOLUTION: under the lock, -EINVAL for less than 1 unit,
	 * -ENOSPC if so many are not left; an error changes nothing
	 */
	if (units < 1)
		return -EINVAL;
	mutex_lock(&quota_lock);
	if (units > left) {
		result = -ENOSPC;
	} else {
		left -= units;
		result = left;
	}
	mutex_unlock(&quota_lock);
	/* END SOLUTION */
	return result;
}

/* BEGIN SOLUTION: let other modules use it, those under the GPL only */
EXPORT_SYMBOL_GPL(quota_take);
/* END SOLUTION */

/* Gives units back: returns how many are left then, or an error. */
int quota_give(int units)
{
	int result = -EINVAL;

	/*
	 * BEGIN SOLUTION: under the lock, -EINVAL for less than 1 unit and for
	 * more than anybody can have; an error changes nothing
	 */
	mutex_lock(&quota_lock);
	if (units >= 1 && units <= QUOTA_TOTAL - left) {
		left += units;
		result = left;
	}
	mutex_unlock(&quota_lock);
	/* END SOLUTION */
	return result;
}

/* BEGIN SOLUTION: this one too */
EXPORT_SYMBOL_GPL(quota_give);
/* END SOLUTION */

static int __init quota_init(void)
{
	if (left == QUOTA_TOTAL)
		return 0;
	pr_err("left is to be read only\n");
	return -EINVAL;
}

static void __exit quota_exit(void)
{
}

module_init(quota_init);
module_exit(quota_exit);

MODULE_DESCRIPTION("A hundred units that other modules take and give back");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
