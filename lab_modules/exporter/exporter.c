// SPDX-License-Identifier: GPL-2.0
/*
 * exporter: a module that works for other modules. The functions that it
 * exports can be called by any module loaded after it; see importer.c.
 *
 * While a module that uses them is loaded, exporter stays: the kernel has noted
 * who leans on whom, lsmod shows it in the last column, and rmmod refuses.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sysfs.h>

#include "exporter.h"

static DEFINE_MUTEX(clients_lock);	/* guards the list and the count */
static LIST_HEAD(clients);
static unsigned long additions;

/**
 * exporter_add - add two numbers, and tell all clients
 * @a: one number
 * @b: the other number
 *
 * Context: may sleep.
 * Return: the sum; it wraps around like any int of the kernel.
 */
int exporter_add(int a, int b)
{
	struct exporter_client *client;
	int sum = a + b;

	mutex_lock(&clients_lock);
	additions++;
	list_for_each_entry(client, &clients, list)
		client->added(client, sum);
	mutex_unlock(&clients_lock);
	return sum;
}
EXPORT_SYMBOL(exporter_add);	/* for modules under any licence */

/**
 * exporter_count - how often was exporter_add() called?
 *
 * Return: the number of calls since exporter was loaded.
 */
unsigned long exporter_count(void)
{
	unsigned long count;

	mutex_lock(&clients_lock);
	count = additions;
	mutex_unlock(&clients_lock);
	return count;
}
EXPORT_SYMBOL_NS_GPL(exporter_count, EXPORTER_NAMESPACE);

static struct exporter_client *find_client(const char *name)
{
	struct exporter_client *client;

	list_for_each_entry(client, &clients, list)
		if (!strcmp(client->name, name))
			return client;
	return NULL;
}

/**
 * exporter_register - have a client called after each addition
 * @client: filled in by the caller, and kept by it until it unregisters
 *
 * Return: 0, -EINVAL when name or function is missing, -EEXIST when there is
 * a client of that name.
 */
int exporter_register(struct exporter_client *client)
{
	int err = 0;

	if (!client->name || !client->added)
		return -EINVAL;
	mutex_lock(&clients_lock);
	if (find_client(client->name))
		err = -EEXIST;
	else
		list_add_tail(&client->list, &clients);
	mutex_unlock(&clients_lock);
	return err;
}
EXPORT_SYMBOL_NS_GPL(exporter_register, EXPORTER_NAMESPACE);

/**
 * exporter_unregister - the end of exporter_register()
 * @client: a registered client
 *
 * When this returns, client->added() is not running and will not be called
 * again: the caller may free the client, or unload the code of the function.
 */
void exporter_unregister(struct exporter_client *client)
{
	mutex_lock(&clients_lock);
	list_del(&client->list);
	mutex_unlock(&clients_lock);
}
EXPORT_SYMBOL_NS_GPL(exporter_unregister, EXPORTER_NAMESPACE);

/* cat /sys/module/exporter/parameters/clients: one name a line. */
static int clients_get(char *text, const struct kernel_param *param)
{
	struct exporter_client *client;
	int length = 0;

	mutex_lock(&clients_lock);
	list_for_each_entry(client, &clients, list)
		length += sysfs_emit_at(text, length, "%s\n", client->name);
	mutex_unlock(&clients_lock);
	return length;
}

/* For "insmod exporter.ko clients=...": there has to be a function to refuse. */
static int clients_set(const char *text, const struct kernel_param *param)
{
	return -EPERM;
}

static const struct kernel_param_ops clients_ops = {
	.set = clients_set,
	.get = clients_get,
};
module_param_cb(clients, &clients_ops, NULL, 0444);
MODULE_PARM_DESC(clients, "the registered clients (to be read only)");

static int __init exporter_init(void)
{
	pr_info("ready\n");
	return 0;
}

/* The list is empty by now: a client's module had to go before us. */
static void __exit exporter_exit(void)
{
	pr_info("%lu additions\n", additions);
}

module_init(exporter_init);
module_exit(exporter_exit);

MODULE_DESCRIPTION("Offers functions to other modules");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
