// SPDX-License-Identifier: GPL-2.0
/* Allocates in every way a module can, and gives back or does not, as its parameter says. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/delay.h>
#include <linux/idr.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/platform_device.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

static char *what = "nothing";
module_param(what, charp, 0444);
static int times = 1;
module_param(times, int, 0444);

struct item {
	struct rcu_head rcu;
	char bytes[100];
};

static void *kept;
static struct timer_list timer;
static struct work_struct work;
static struct delayed_work later;
static struct kmem_cache *cache;
static struct platform_device *device;
static DEFINE_XARRAY(tree);
static DEFINE_IDA(numbers);
static DECLARE_COMPLETION(fired);

static noinline void *leaky_take(size_t size)
{
	return kmalloc(size, GFP_ATOMIC);
}

static void leaky_timer(struct timer_list *unused)
{
	kept = leaky_take(72);
	complete(&fired);
}

static void leaky_work(struct work_struct *unused)
{
	kept = kstrdup("a string of a work", GFP_KERNEL);
}

static void leaky_free_later(struct work_struct *unused)
{
	kfree(kept);
}

static void leaky_item_free(struct rcu_head *head)
{
	kfree(container_of(head, struct item, rcu));
}

static int leaky_thread(void *unused)
{
	kept = kmemdup("thread", 7, GFP_KERNEL);
	while (!kthread_should_stop())
		msleep(1);
	return 0;
}

static bool is(const char *name)
{
	return !strcmp(what, name);
}

/* Each of these leaves something behind. */
static int __init leaky_leak(void)
{
	struct task_struct *thread;

	if (is("kmalloc")) {
		kept = leaky_take(64);
	} else if (is("kstrdup")) {
		kept = kstrdup("a string that nobody frees", GFP_KERNEL);
	} else if (is("krealloc")) {
		kept = krealloc(kmalloc(8, GFP_KERNEL), 500, GFP_KERNEL);
	} else if (is("kvmalloc")) {
		kept = kvmalloc(3 << 20, GFP_KERNEL);
	} else if (is("large")) {
		kept = kmalloc(100000, GFP_KERNEL);
	} else if (is("cache")) {
		cache = kmem_cache_create("leaky_items", 1000, 0, SLAB_POISON, NULL);
	} else if (is("merged")) {
		cache = kmem_cache_create("leaky_merged", 192, 0, 0, NULL);
	} else if (is("object")) {
		cache = kmem_cache_create("leaky_items", 1000, 0, 0, NULL);
		kept = kmem_cache_alloc(cache, GFP_KERNEL);
		kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	} else if (is("vmalloc")) {
		kept = vmalloc(5000);
	} else if (is("pages")) {
		kept = alloc_pages(GFP_KERNEL, 2);
	} else if (is("free_page")) {
		kept = (void *)__get_free_page(GFP_KERNEL);
	} else if (is("part")) {
		/* One of the five pages is given back. */
		kept = alloc_pages_exact(5 * PAGE_SIZE, GFP_KERNEL);
		free_page((unsigned long)kept);
	} else if (is("percpu")) {
		kept = (void __force *)alloc_percpu(u64);
	} else if (is("skb")) {
		kept = alloc_skb(300, GFP_KERNEL);
	} else if (is("device")) {
		device = platform_device_register_simple("leaky", -1, NULL, 0);
	} else if (is("tree")) {
		xa_store(&tree, 12345, xa_mk_value(1), GFP_KERNEL);
	} else if (is("thread")) {
		thread = kthread_run(leaky_thread, NULL, "leaky");
		while (!READ_ONCE(kept))
			msleep(1);
		kthread_stop(thread);
	} else if (is("timer")) {
		timer_setup(&timer, leaky_timer, 0);
		mod_timer(&timer, jiffies + 2);
		wait_for_completion(&fired);
		timer_delete_sync(&timer);
	} else if (is("work")) {
		INIT_WORK(&work, leaky_work);
		schedule_work(&work);
		flush_work(&work);
	} else if (is("error")) {
		kept = leaky_take(64);
		return -ENODEV;
	}
	return 0;
}

/* Each of these gives everything back, in a way that is easy to miss. */
static int __init leaky_clean(void)
{
	struct item *item;
	struct sk_buff *skb;
	void *pointer;
	int i;

	if (is("kfree_rcu")) {
		item = kzalloc(sizeof(*item), GFP_KERNEL);
		kfree_rcu(item, rcu);
	} else if (is("kvfree_rcu")) {
		item = kvmalloc(3 << 20, GFP_KERNEL);
		kvfree_rcu(item, rcu);
	} else if (is("call_rcu")) {
		item = kzalloc(sizeof(*item), GFP_KERNEL);
		call_rcu(&item->rcu, leaky_item_free);
	} else if (is("other context")) {
		kept = leaky_take(64);
		INIT_DELAYED_WORK(&later, leaky_free_later);
		schedule_delayed_work(&later, 2);
	} else if (is("exact pages")) {
		pointer = alloc_pages_exact(5 * PAGE_SIZE, GFP_KERNEL);
		free_pages_exact(pointer, 5 * PAGE_SIZE);
	} else if (is("merged cache")) {
		cache = kmem_cache_create("leaky_merged", 192, 0, 0, NULL);
		kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	} else if (is("bulk")) {
		void *many[16];

		cache = kmem_cache_create("leaky_items", 1000, 0, 0, NULL);
		for (i = 0; i < 16; i++)
			many[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		kmem_cache_free_bulk(cache, 16, many);
	} else if (is("skbs")) {
		skb = alloc_skb(300, GFP_KERNEL);
		consume_skb(skb_clone(skb, GFP_KERNEL));
		kfree_skb(skb);
		local_bh_disable();
		napi_consume_skb(alloc_skb(300, GFP_ATOMIC), 64);
		local_bh_enable();
	} else if (is("numbers")) {
		i = ida_alloc_min(&numbers, 500, GFP_KERNEL);
		ida_free(&numbers, i);
		xa_store(&tree, 12345, xa_mk_value(1), GFP_KERNEL);
		xa_destroy(&tree);
	} else if (is("device file")) {
		struct workqueue_struct *queue = alloc_workqueue("leaky", WQ_UNBOUND, 0);

		destroy_workqueue(queue);
		device = platform_device_register_simple("leaky", -1, NULL, 0);
		pointer = devm_kzalloc(&device->dev, 64, GFP_KERNEL);
		pr_info("%s\n", devm_kasprintf(&device->dev, GFP_KERNEL, "%d", 1));
		platform_device_unregister(device);
		device = NULL;
	} else if (is("flood")) {
		for (i = 0; i < times; i++)
			kfree(leaky_take(64));
	} else if (is("huge vmalloc")) {
		vfree(vmalloc(9 << 20));
		free_percpu(alloc_percpu(u64));
	}
	return 0;
}

static int __init leaky_init(void)
{
	int error = leaky_leak();

	return error ? error : leaky_clean();
}

static void __exit leaky_exit(void)
{
	if (is("other context"))
		flush_delayed_work(&later);
	if (is("call_rcu"))
		rcu_barrier();
	if (is("merged cache") || is("bulk"))
		kmem_cache_destroy(cache);
}

module_init(leaky_init);
module_exit(leaky_exit);
MODULE_DESCRIPTION("Allocates in every way, and gives back or not");
MODULE_LICENSE("GPL");
