// SPDX-License-Identifier: GPL-2.0
/*
 * onefile: a filesystem without a disk. Mounted, it holds one file, "mounts",
 * that says how often it has been mounted since the module was loaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/version.h>

#define ONEFILE_MAGIC 0x31464c45

/*
 * What the kernel offers to modules may change with every version. This file is
 * written for the newest. Before 6.19 another function let files like ours go.
 */
#if LINUX_VERSION_MAJOR == 6 && LINUX_VERSION_PATCHLEVEL < 19
#define kill_anon_super kill_litter_super
#endif

static atomic_t mounts = ATOMIC_INIT(0);	/* atomic_inc(), atomic_read() */

static ssize_t mounts_read(struct file *file, char __user *buffer,
			   size_t count, loff_t *pos)
{
	char text[16];
	int length = scnprintf(text, sizeof(text), "%d\n", atomic_read(&mounts));

	return simple_read_from_buffer(buffer, count, pos, text, length);
}

static const struct file_operations mounts_fops = {
	.owner	= THIS_MODULE,
	.read	= mounts_read,
	.llseek	= default_llseek,
};

/* Called once a mount, to fill the new super block. */
static int onefile_fill(struct super_block *sb, struct fs_context *fc)
{
	/* The number of an inode is its place in the table; 0 and 1 are taken. */
	static const struct tree_descr files[] = {
		[2] = { "mounts", &mounts_fops, 0444 },
		{ "" },
	};

	/*
	 * BEGIN SOLUTION: count the mount, and let simple_fill_super(sb, magic,
	 * files) make root and file; return what it returns
	 */
	atomic_inc(&mounts);
	return simple_fill_super(sb, ONEFILE_MAGIC, files);
	/* SKELETON: return files[2].mode ? -ENOSYS : 0; */
	/* END SOLUTION */
}

static int onefile_get_tree(struct fs_context *fc)
{
	return get_tree_nodev(fc, onefile_fill);
}

static const struct fs_context_operations onefile_context = {
	.get_tree = onefile_get_tree,
};

static int onefile_init_context(struct fs_context *fc)
{
	fc->ops = &onefile_context;
	return 0;
}

static struct file_system_type onefile = {
	/*
	 * BEGIN SOLUTION: .owner, so that the module stays while it is mounted,
	 * and .kill_sb = kill_anon_super, which also lets the file's dentry and
	 * the number that stands for a device go
	 */
	.owner			= THIS_MODULE,
	.kill_sb		= kill_anon_super,
	/* SKELETON: .kill_sb		= generic_shutdown_super, */
	/* END SOLUTION */
	.name			= "onefile",
	.init_fs_context	= onefile_init_context,
};

static int __init onefile_init(void)
{
	return register_filesystem(&onefile);
}

static void __exit onefile_exit(void)
{
	/* BEGIN SOLUTION: undo what onefile_init() did */
	unregister_filesystem(&onefile);
	/* END SOLUTION */
}

module_init(onefile_init);
module_exit(onefile_exit);

MODULE_DESCRIPTION("A filesystem with one file");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
