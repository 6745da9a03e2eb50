// SPDX-License-Identifier: GPL-2.0
/*
 * greetfs: a filesystem with a mount option.	mount -t greetfs -o times=3 none /mnt
 *
 * It holds one file, "greeting", that says hello as often as the option says.
 * Each mount has a number of its own.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/version.h>

#define GREETFS_MAGIC	0x47524545
#define MOST		9		/* times= may be from 1 to this */

/*
 * What the kernel offers to modules may change with every version. This file is
 * written for the newest. Before 6.19 another function let files like ours go.
 */
#if LINUX_VERSION_MAJOR == 6 && LINUX_VERSION_PATCHLEVEL < 19
#define kill_anon_super kill_litter_super
#endif

/* What each mount has of its own: first in the context, then in the super block. */
struct greetfs {
	unsigned int times;
};

static ssize_t greeting_read(struct file *file, char __user *buffer,
			     size_t count, loff_t *pos)
{
	struct greetfs *info = file_inode(file)->i_sb->s_fs_info;
	char text[MOST * 6 + 1];
	int length = 0;
	unsigned int i;

	for (i = 0; i < info->times; i++)
		length += scnprintf(text + length, sizeof(text) - length, "hello\n");
	return simple_read_from_buffer(buffer, count, pos, text, length);
}

static const struct file_operations greeting_fops = {
	.owner	= THIS_MODULE,
	.read	= greeting_read,
	.llseek	= default_llseek,
};

/* The kernel asks for this when it prints /proc/mounts. */
static int greetfs_show_options(struct seq_file *seq, struct dentry *root)
{
	struct greetfs *info = root->d_sb->s_fs_info;

	/* BEGIN SOLUTION: seq_printf(seq, …) a comma and the option, as in ",times=3" */
	seq_printf(seq, ",times=%u", info->times);
	/* SKELETON: (void)info; */
	/* END SOLUTION */
	return 0;
}

static const struct super_operations greetfs_super_ops = {
	.statfs		= simple_statfs,
	.show_options	= greetfs_show_options,
};

static int greetfs_fill(struct super_block *sb, struct fs_context *fc)
{
	static const struct tree_descr files[] = {
		[2] = { "greeting", &greeting_fops, 0444 },
		{ "" },
	};
	int err = simple_fill_super(sb, GREETFS_MAGIC, files);

	if (!err)
		sb->s_op = &greetfs_super_ops;
	return err;
}

static const struct fs_parameter_spec greetfs_options[] = {
	fsparam_u32("times", 0),	/* an option with an unsigned number */
	{}
};

/* Called for each option of a mount, before there is a super block. */
static int greetfs_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct greetfs *info = fc->s_fs_info;
	struct fs_parse_result result;
	int option = fs_parse(fc, greetfs_options, param, &result);

	if (option < 0)
		return option;	/* no such option, or no number */
	/*
	 * BEGIN SOLUTION: the number is result.uint_32; refuse with -EINVAL what
	 * is not from 1 to MOST, and keep the others in this mount's info
	 */
	if (result.uint_32 < 1 || result.uint_32 > MOST)
		return -EINVAL;
	info->times = result.uint_32;
	/* SKELETON: (void)info; */
	/* END SOLUTION */
	return 0;
}

static int greetfs_get_tree(struct fs_context *fc)
{
	return get_tree_nodev(fc, greetfs_fill);
}

/*
 * The end of the context, also when the mount was refused. If there is a super
 * block, that has taken s_fs_info over, and here it is NULL.
 */
static void greetfs_free_context(struct fs_context *fc)
{
	/* BEGIN SOLUTION: give back what greetfs_init_context() took */
	kfree(fc->s_fs_info);
	/* END SOLUTION */
}

static const struct fs_context_operations greetfs_context_ops = {
	.parse_param	= greetfs_parse_param,
	.get_tree	= greetfs_get_tree,
	.free		= greetfs_free_context,
};

static int greetfs_init_context(struct fs_context *fc)
{
	struct greetfs *info = kzalloc(sizeof(*info), GFP_KERNEL);

	if (!info)
		return -ENOMEM;
	info->times = 1;
	fc->s_fs_info = info;
	fc->ops = &greetfs_context_ops;
	return 0;
}

/* umount: the end of the super block. */
static void greetfs_kill_sb(struct super_block *sb)
{
	struct greetfs *info = sb->s_fs_info;

	kill_anon_super(sb);
	/* BEGIN SOLUTION: now nobody looks at info any more: give it back */
	kfree(info);
	/* SKELETON: (void)info; */
	/* END SOLUTION */
}

static struct file_system_type greetfs = {
	.owner			= THIS_MODULE,
	.name			= "greetfs",
	.init_fs_context	= greetfs_init_context,
	.parameters		= greetfs_options,
	.kill_sb		= greetfs_kill_sb,
};

static int __init greetfs_init(void)
{
	return register_filesystem(&greetfs);
}

static void __exit greetfs_exit(void)
{
	unregister_filesystem(&greetfs);
}

module_init(greetfs_init);
module_exit(greetfs_exit);

MODULE_DESCRIPTION("A filesystem with a mount option");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
