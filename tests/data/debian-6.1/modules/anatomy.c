// SPDX-License-Identifier: GPL-2.0
/* Something of every kind of section, and a log with every level, for the tests of the parsers. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/vmalloc.h>

static int size = 64;
module_param(size, int, 0444);
MODULE_PARM_DESC(size, "bytes to keep, 1 to 65536");

static char *name = "anatomy";
module_param(name, charp, 0644);

static bool oops;
module_param(oops, bool, 0);
MODULE_PARM_DESC(oops, "write through a null pointer while loading");

static const char words[8192] = "read-only data";
static char data[4096] = "data";
static char bss[16384];
static DEFINE_PER_CPU(long, counter);
static char init_data[2048] __initdata = "freed after init";
static void *kept;

int anatomy_sum(int index)
{
	this_cpu_inc(counter);
	bss[index & 16383]++;
	data[index & 4095]++;
	return words[index & 8191] + data[index & 4095] + bss[index & 16383];
}
EXPORT_SYMBOL_GPL(anatomy_sum);

int anatomy_zero(void)
{
	return 0;
}
EXPORT_SYMBOL(anatomy_zero);

void anatomy_spaced(void)
{
	pr_info("called\n");
}
EXPORT_SYMBOL_NS_GPL(anatomy_spaced, ANATOMY);

static noinline void *anatomy_keep(int bytes)
{
	return vmalloc(bytes);
}

static noinline void anatomy_fault(void)
{
	/* DELIBERATE BUG: a write through a null pointer, see README */
	*(volatile int *)NULL = 1;
}

static int __init anatomy_init(void)
{
	if (oops)
		anatomy_fault();
	kept = anatomy_keep(size);
	if (!kept)
		return -ENOMEM;
	init_data[size & 2047]++;
	pr_info("loaded, size=%d, %c\n", size, init_data[0]);
	pr_emerg("level 0\n");
	pr_alert("level 1\n");
	pr_crit("level 2\n");
	pr_err("level 3: <b>bold</b> & \"quoted\"\n");
	pr_warn("level 4\n");
	pr_notice("level 5\n");
	pr_info("two\nlines\n");
	pr_info("gr\xc3\xbc\xc3\x9f\x65, \x01tab\there\n");
	printk(KERN_DEBUG "anatomy: level 7\n");
	return 0;
}

static void __exit anatomy_exit(void)
{
	vfree(kept);
	pr_info("gone\n");
}

module_init(anatomy_init);
module_exit(anatomy_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("First Author");
MODULE_AUTHOR("Second Author");
MODULE_DESCRIPTION("Something of every kind of section");
