// SPDX-License-Identifier: GPL-2.0
/*
 * restart: Restarts the machine from write().
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/reboot.h>

static ssize_t restart_write(struct file *file, const char __user *buffer, size_t count,
			     loff_t *pos)
{
	/* DELIBERATE BUG: no module may do that */
	emergency_restart();
	return count;
}

static const struct file_operations restart_fops = {
	.owner = THIS_MODULE,
	.write = restart_write,
};

static struct miscdevice restart_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "restart",
	.fops = &restart_fops,
};
module_misc_device(restart_device);

MODULE_DESCRIPTION("Faulty on purpose: restart");
MODULE_LICENSE("GPL");
