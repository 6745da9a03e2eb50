// SPDX-License-Identifier: GPL-2.0
/*
 * hello: the first module. It greets when it is loaded and says goodbye when
 * it is unloaded. Two parameters say whom it greets and how often.
 *
 * There is no main(): the kernel calls the two functions at the end of the file.
 */

/* pr_info() and its relatives put this in front of each message. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#define MAX_TIMES 10

static char *whom = "world";
module_param(whom, charp, 0444);	/* 0444: everyone may read it in /sys */
MODULE_PARM_DESC(whom, "whom to greet (not empty)");

static int times = 1;

/*
 * The kernel calls this for "insmod hello.ko times=3" and, since the file is
 * writable, for "echo 3 > /sys/module/hello/parameters/times". Whoever writes
 * gets the errno that is returned here, and the old value stays.
 */
static int times_set(const char *text, const struct kernel_param *param)
{
	int value;
	int err = kstrtoint(text, 0, &value);

	if (err)
		return err;
	if (value < 1 || value > MAX_TIMES)
		return -EINVAL;
	return param_set_int(text, param);
}

static const struct kernel_param_ops times_ops = {
	.set = times_set,
	.get = param_get_int,
};
module_param_cb(times, &times_ops, &times, 0644);	/* root may change it */
__MODULE_PARM_TYPE(times, "int");
MODULE_PARM_DESC(times, "how often to greet, 1 to 10");

/*
 * Called once, when the module is loaded. A negative errno means "no": the
 * kernel takes the module out again and insmod fails with that errno.
 * __init: the kernel frees this code as soon as it has run.
 */
static int __init hello_init(void)
{
	int i;

	if (!*whom) {
		pr_err("the parameter whom is empty\n");
		return -EINVAL;
	}
	for (i = 1; i <= times; i++)
		pr_info("hello, %s (%d of %d)\n", whom, i, times);
	return 0;
}

/* Called once, by rmmod. It cannot fail: nobody is using the module by then. */
static void __exit hello_exit(void)
{
	pr_info("goodbye, %s\n", whom);
}

module_init(hello_init);
module_exit(hello_exit);

MODULE_DESCRIPTION("Greets when loaded, says goodbye when unloaded");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
