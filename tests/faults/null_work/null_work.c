// SPDX-License-Identifier: GPL-2.0
/*
 * null_work: Follows a NULL pointer in a work item, in a worker thread.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/workqueue.h>

struct job {
	struct work_struct work;
	struct job *next;
	int result;
};

static struct job job;

static void job_run(struct work_struct *work)
{
	struct job *this = container_of(work, struct job, work);

	/* DELIBERATE BUG: the last job has no next one */
	this->next->result = this->result; /* HERE */
}

static ssize_t null_work_write(struct file *file, const char __user *buffer, size_t count,
			       loff_t *pos)
{
	INIT_WORK(&job.work, job_run);
	schedule_work(&job.work);
	return count;
}

static const struct file_operations null_work_fops = {
	.owner = THIS_MODULE,
	.write = null_work_write,
};

static struct miscdevice null_work_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "null_work",
	.fops = &null_work_fops,
};
module_misc_device(null_work_device);

MODULE_DESCRIPTION("Faulty on purpose: null_work");
MODULE_LICENSE("GPL");
