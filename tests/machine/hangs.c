// SPDX-License-Identifier: GPL-2.0
/*
 * hangs: hangs in the way (how=) and at the place (at=init, exit, read) that it is told.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/spinlock.h>

static char *how = "not";
module_param(how, charp, 0444);
MODULE_PARM_DESC(how, "not, long, loop, deadlock, interrupts, everywhere, sleep or signal");

static char *at = "init";
module_param(at, charp, 0444);
MODULE_PARM_DESC(at, "init, exit or read");

static DEFINE_SPINLOCK(lock);
static DECLARE_COMPLETION(never);
static int stop;

static noinline void spin(void)
{
	/* DELIBERATE BUG: nobody sets stop */
	while (!READ_ONCE(stop)) /* loop */
		cpu_relax(); /* loop */
}

static noinline void take_twice(void)
{
	spin_lock(&lock);
	/* DELIBERATE BUG: it is held */
	spin_lock(&lock); /* deadlock */
	spin_unlock(&lock);
	spin_unlock(&lock);
}

static noinline void spin_silently(void)
{
	unsigned long flags;

	local_irq_save(flags);
	/* DELIBERATE BUG: with interrupts off, and for ever */
	while (!READ_ONCE(stop)) /* interrupts */
		cpu_relax(); /* interrupts */
	local_irq_restore(flags);
}

static int silent_thread(void *unused)
{
	spin_silently();
	return 0;
}

static noinline int wait_on(void)
{
	/* DELIBERATE BUG: nobody completes it */
	wait_for_completion(&never); /* sleep */
	return READ_ONCE(stop);
}

static noinline int wait_on_signal(void)
{
	int error = wait_for_completion_interruptible(&never); /* signal */

	return error ?: READ_ONCE(stop);
}

static int hang(void)
{
	struct task_struct *task;

	if (!strcmp(how, "long")) {
		mdelay(1500);
	} else if (!strcmp(how, "loop")) {
		spin();
	} else if (!strcmp(how, "deadlock")) {
		take_twice();
	} else if (!strcmp(how, "interrupts")) {
		spin_silently();
	} else if (!strcmp(how, "everywhere")) {
		task = kthread_create(silent_thread, NULL, "silent");
		if (IS_ERR(task))
			return PTR_ERR(task);
		kthread_bind(task, !raw_smp_processor_id());
		wake_up_process(task);
		spin_silently();
	} else if (!strcmp(how, "sleep")) {
		return wait_on();
	} else if (!strcmp(how, "signal")) {
		return wait_on_signal();
	}
	return 0;
}

static ssize_t hangs_read(struct file *file, char __user *buffer, size_t size, loff_t *offset)
{
	return strcmp(at, "read") ? 0 : hang();
}

static const struct file_operations hangs_fops = {
	.owner = THIS_MODULE,
	.read = hangs_read,
};

static struct miscdevice hangs_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hangs",
	.fops = &hangs_fops,
};

static int __init hangs_init(void)
{
	int error = strcmp(at, "init") ? 0 : hang();

	return error ?: misc_register(&hangs_device);
}

static void __exit hangs_exit(void)
{
	if (!strcmp(at, "exit"))
		hang();
	misc_deregister(&hangs_device);
}

module_init(hangs_init);
module_exit(hangs_exit);

MODULE_DESCRIPTION("Hangs as it is told");
MODULE_LICENSE("GPL");
