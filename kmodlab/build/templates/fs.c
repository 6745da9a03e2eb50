// SPDX-License-Identifier: GPL-2.0
/*
 * $name: a filesystem with one file.	mount -t $name none /mnt
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/version.h>

#define MAGIC 0x6b6d6f64	/* what "stat -f" shows as the type */

/* Before Linux 6.19 another function let files go that stay in memory by themselves. */
#if LINUX_VERSION_MAJOR == 6 && LINUX_VERSION_PATCHLEVEL < 19
#define kill_anon_super kill_litter_super
#endif

static const char greeting[] = "Hello from the kernel\n";

static ssize_t read_hello(struct file *file, char __user *buffer, size_t count, loff_t *pos)
{
	return simple_read_from_buffer(buffer, count, pos, greeting, sizeof(greeting) - 1);
}

static const struct file_operations ${name}_fops = {
	.owner	= THIS_MODULE,
	.read	= read_hello,
	.llseek	= default_llseek,
};

/* Numbers 0 and 1 are the kernel's; an empty name ends the list. */
static const struct tree_descr ${name}_files[] = {
	[2] = { "hello", &${name}_fops, 0444 },
	{ "" },
};

static int ${name}_fill_super(struct super_block *sb, struct fs_context *fc)
{
	return simple_fill_super(sb, MAGIC, ${name}_files);
}

/* It lies on no device, and each mount is a new filesystem. */
static int ${name}_get_tree(struct fs_context *fc)
{
	return get_tree_nodev(fc, ${name}_fill_super);
}

static const struct fs_context_operations ${name}_context_ops = {
	.get_tree	= ${name}_get_tree,
};

static int ${name}_init_context(struct fs_context *fc)
{
	fc->ops = &${name}_context_ops;
	return 0;
}

static struct file_system_type ${name}_type = {
	.owner			= THIS_MODULE,	/* a mount holds the module */
	.name			= "$name",
	.init_fs_context	= ${name}_init_context,
	.kill_sb		= kill_anon_super,
};

static int __init ${name}_init(void)
{
	return register_filesystem(&${name}_type);
}

static void __exit ${name}_exit(void)
{
	unregister_filesystem(&${name}_type);
}

module_init(${name}_init);
module_exit(${name}_exit);

MODULE_ALIAS_FS("$name");	/* lets mount load the module by itself */
MODULE_DESCRIPTION("A filesystem with one file");
MODULE_LICENSE("GPL");
