/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What exporter offers to other modules. The compiler checks calls against this
 * header, modpost looks the names up in Module.symvers, and the kernel joins
 * name and address when a module is loaded.
 */
#ifndef EXPORTER_H
#define EXPORTER_H

#include <linux/list.h>
#include <linux/version.h>

/*
 * The namespace of our symbols: whoever uses them must say so (importer.c does),
 * so that no one leans on them by accident. Since 6.13 its name is a string.
 */
#if KERNEL_VERSION(LINUX_VERSION_MAJOR, LINUX_VERSION_PATCHLEVEL, 0) >= \
	KERNEL_VERSION(6, 13, 0)
#define EXPORTER_NAMESPACE "EXPORTER"
#else
#define EXPORTER_NAMESPACE EXPORTER
#endif

/**
 * struct exporter_client - someone who wants to hear of each addition
 * @name: what to call the client in /sys/module/exporter/parameters/clients
 * @added: called after each exporter_add(); may sleep, must not call exporter
 * @list: exporter's own, while the client is registered
 */
struct exporter_client {
	const char *name;
	void (*added)(struct exporter_client *client, int sum);
	struct list_head list;
};

int exporter_add(int a, int b);
unsigned long exporter_count(void);
int exporter_register(struct exporter_client *client);
void exporter_unregister(struct exporter_client *client);

#endif
