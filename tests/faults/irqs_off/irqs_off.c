// SPDX-License-Identifier: GPL-2.0
/*
 * irqs_off: Loops with interrupts off in a helper of write().
 */

#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static int answered;

static noinline void wait_for_device(void)
{
	/* DELIBERATE BUG: with interrupts off nobody can set it */
	while (!READ_ONCE(answered)) /* HERE */
		cpu_relax(); /* HERE */
}

static ssize_t irqs_off_write(struct file *file, const char __user *buffer, size_t count,
			      loff_t *pos)
{
	unsigned long flags;

	local_irq_save(flags);
	wait_for_device();
	local_irq_restore(flags);
	return count;
}

static const struct file_operations irqs_off_fops = {
	.owner = THIS_MODULE,
	.write = irqs_off_write,
};

static struct miscdevice irqs_off_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "irqs_off",
	.fops = &irqs_off_fops,
};
module_misc_device(irqs_off_device);

MODULE_DESCRIPTION("Faulty on purpose: irqs_off");
MODULE_LICENSE("GPL");
