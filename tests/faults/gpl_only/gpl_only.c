// SPDX-License-Identifier: GPL-2.0
/*
 * gpl_only: Has a proprietary licence and uses a function that is only for GPL
 * modules.
 */

#include <linux/module.h>
#include <linux/workqueue.h>

static void nothing(struct work_struct *work)
{
}

static DECLARE_WORK(work, nothing);

static int __init gpl_only_init(void)
{
	/* DELIBERATE BUG: alloc_workqueue() is exported to modules under the GPL alone */
	struct workqueue_struct *queue = alloc_workqueue("gpl_only", 0, 0); /* HERE */

	if (!queue)
		return -ENOMEM;
	queue_work(queue, &work);
	destroy_workqueue(queue);
	return 0;
}

static void __exit gpl_only_exit(void)
{
}

module_init(gpl_only_init);
module_exit(gpl_only_exit);

MODULE_DESCRIPTION("Faulty on purpose: gpl_only");
MODULE_LICENSE("Proprietary"); /* HERE */
