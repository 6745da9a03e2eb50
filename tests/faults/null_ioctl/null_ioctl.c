// SPDX-License-Identifier: GPL-2.0
/*
 * null_ioctl: Reads a NULL member in a helper that its ioctl calls.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

struct settings {
	int unit;
	int speed;
};

struct device_state {
	struct settings *settings;
};

static struct device_state state;

static noinline int settings_speed(struct device_state *device)
{
	/* DELIBERATE BUG: the settings do not exist before they are set */
	if (device->settings->speed > 9600) /* HERE */
		return 9600;
	return device->settings->speed;
}

static long null_ioctl_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	return settings_speed(&state) > 0 ? 0 : -ENOTTY;
}

static const struct file_operations null_ioctl_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = null_ioctl_ioctl,
};

static struct miscdevice null_ioctl_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "null_ioctl",
	.fops = &null_ioctl_fops,
};
module_misc_device(null_ioctl_device);

MODULE_DESCRIPTION("Faulty on purpose: null_ioctl");
MODULE_LICENSE("GPL");
