// SPDX-License-Identifier: GPL-2.0
/* Leaves one thing of each kind behind, as its parameter says. What stays lies outside the module's own memory. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/etherdevice.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/input.h>
#include <linux/interrupt.h>
#include <linux/ioport.h>
#include <linux/kthread.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/workqueue.h>

static char *what = "nothing";
module_param(what, charp, 0444);

static const struct file_operations *operations;
static struct miscdevice here = { .minor = MISC_DYNAMIC_MINOR, .name = "litter_here" };

static char *litter_name(const char *name)
{
	return kstrdup(name, GFP_KERNEL);
}

static struct class *litter_class(void)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	return class_create(THIS_MODULE, litter_name("litter"));
#else
	return class_create(litter_name("litter"));
#endif
}

static irqreturn_t litter_irq(int irq, void *unused)
{
	return IRQ_NONE;
}

static enum hrtimer_restart litter_ring(struct hrtimer *unused)
{
	return HRTIMER_NORESTART;
}

static int litter_receive(struct sk_buff *skb, struct net_device *dev, struct packet_type *type, struct net_device *orig)
{
	kfree_skb(skb);
	return 0;
}

static bool is(const char *name)
{
	return !strcmp(what, name);
}

static int __init litter_misc(void)
{
	struct miscdevice *misc = kzalloc(sizeof(*misc), GFP_KERNEL);

	misc->minor = MISC_DYNAMIC_MINOR;
	misc->name = litter_name("litter_misc");
	misc->fops = operations;
	return misc_register(misc);
}

static int __init litter_filesystem(void)
{
	struct file_system_type *type = kzalloc(sizeof(*type), GFP_KERNEL);

	type->name = litter_name("litterfs");
	return register_filesystem(type);
}

static int __init litter_timer(void)
{
	struct hrtimer *timer = kzalloc(sizeof(*timer), GFP_KERNEL);

	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = litter_ring;
	hrtimer_start(timer, ktime_set(100000, 0), HRTIMER_MODE_REL);
	return 0;
}

static int __init litter_packets(void)
{
	struct packet_type *type = kzalloc(sizeof(*type), GFP_KERNEL);

	type->type = htons(0x1234);
	type->func = litter_receive;
	dev_add_pack(type);
	return 0;
}

static int __init litter_network(void)
{
	struct net_device *device = alloc_netdev(0, "litter%d", NET_NAME_UNKNOWN, ether_setup);

	device->netdev_ops = kzalloc(sizeof(*device->netdev_ops), GFP_KERNEL);
	return register_netdev(device);
}

static int __init litter_init(void)
{
	dev_t number;
	struct class *class;
	struct input_dev *input;

	operations = kzalloc(sizeof(*operations), GFP_KERNEL);
	if (is("proc"))
		return proc_mkdir("litter", NULL) && proc_mkdir("litter/inner", NULL) ? 0 : -ENOMEM;
	if (is("debugfs"))
		return PTR_ERR_OR_ZERO(debugfs_create_dir("litter", NULL));
	if (is("sysfs"))
		return kobject_create_and_add("litter", kernel_kobj) ? 0 : -ENOMEM;
	if (is("class"))
		return PTR_ERR_OR_ZERO(litter_class());
	if (is("device")) {
		class = litter_class();
		return PTR_ERR_OR_ZERO(device_create(class, NULL, MKDEV(240, 7), NULL, "litter%d", 7));
	}
	if (is("number"))
		return alloc_chrdev_region(&number, 0, 1, litter_name("litter"));
	if (is("misc"))
		return litter_misc();
	if (is("here"))
		return misc_register(&here);
	if (is("thread"))
		return PTR_ERR_OR_ZERO(kthread_create((int (*)(void *))schedule, NULL, "litter"));
	if (is("queue"))
		return alloc_workqueue("litter", WQ_MEM_RECLAIM, 1) ? 0 : -ENOMEM;
	if (is("filesystem"))
		return litter_filesystem();
	if (is("timer"))
		return litter_timer();
	if (is("packets"))
		return litter_packets();
	if (is("interrupt"))
		return request_irq(5, litter_irq, 0, litter_name("litter"), NULL);
	if (is("ports"))
		return request_region(0x2e0, 8, litter_name("litter")) ? 0 : -EBUSY;
	if (is("memory"))
		return request_mem_region(0xf0000000, 4096, litter_name("litter")) ? 0 : -EBUSY;
	if (is("cache"))
		return kmem_cache_create("litter", 1000, 0, SLAB_POISON, NULL) ? 0 : -ENOMEM;
	if (is("network"))
		return litter_network();
	if (is("input")) {
		input = input_allocate_device();
		input->name = litter_name("litter");
		return input_register_device(input);
	}
	return 0;
}

static void __exit litter_exit(void)
{
}

module_init(litter_init);
module_exit(litter_exit);
MODULE_DESCRIPTION("Leaves one thing of each kind behind");
MODULE_LICENSE("GPL");
