// SPDX-License-Identifier: GPL-2.0
/*
 * null_irq_work: Follows a NULL pointer in an inline function that runs in a
 * hard interrupt.
 */

#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

struct registers {
	u32 status;
};

static struct registers *registers;

static inline void acknowledge(u32 bit)
{
	/* DELIBERATE BUG: the registers were never mapped */
	registers->status |= bit; /* HERE */
}

static void handler(struct irq_work *work)
{
	acknowledge(1);
}

static struct irq_work work = IRQ_WORK_INIT_HARD(handler);

static ssize_t null_irq_work_write(struct file *file, const char __user *buffer, size_t count,
				   loff_t *pos)
{
	irq_work_queue(&work);
	return count;
}

static const struct file_operations null_irq_work_fops = {
	.owner = THIS_MODULE,
	.write = null_irq_work_write,
};

static struct miscdevice null_irq_work_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "null_irq_work",
	.fops = &null_irq_work_fops,
};
module_misc_device(null_irq_work_device);

MODULE_DESCRIPTION("Faulty on purpose: null_irq_work");
MODULE_LICENSE("GPL");
