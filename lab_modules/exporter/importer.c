// SPDX-License-Identifier: GPL-2.0
/*
 * importer: a module that leans on another one. It cannot be loaded before
 * exporter ("Unknown symbol in module"); modprobe reads from modules.dep that
 * exporter must come first, insmod does not look.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "exporter.h"

static int a = 2;
module_param(a, int, 0444);
MODULE_PARM_DESC(a, "one number to add");

static int b = 3;
module_param(b, int, 0444);
MODULE_PARM_DESC(b, "the other number to add");

/* exporter calls this. So each of the two modules calls into the other. */
static void importer_added(struct exporter_client *client, int sum)
{
	pr_info("%s hears of the sum %d\n", client->name, sum);
}

static struct exporter_client importer_client = {
	.name	= KBUILD_MODNAME,
	.added	= importer_added,
};

static int __init importer_init(void)
{
	int err = exporter_register(&importer_client);
	int sum;

	if (err)
		return err;
	sum = exporter_add(a, b);
	pr_info("%d + %d = %d, addition number %lu\n", a, b, sum, exporter_count());
	return 0;
}

/* Without this, exporter would call a function that is no longer there. */
static void __exit importer_exit(void)
{
	exporter_unregister(&importer_client);
}

module_init(importer_init);
module_exit(importer_exit);

MODULE_IMPORT_NS(EXPORTER_NAMESPACE);
MODULE_DESCRIPTION("Calls the functions of exporter");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
