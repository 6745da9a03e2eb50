// SPDX-License-Identifier: GPL-2.0
/*
 * jotfs: a filesystem for jottings. A file holds up to 4096 bytes, in one piece
 * of memory that hangs on its inode (i_private). Bytes behind the end of the
 * file are zeros. There are no folders, and no times are kept.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>

#define JOTFS_MAGIC	0x4a4f5453
#define MOST		4096		/* bytes in a file */

/*
 * What the kernel offers to modules may change with every version. This file is
 * written for the newest; this makes older ones, down to 6.1, look like it.
 */
#define KERNEL_SINCE(major, minor) \
	(KERNEL_VERSION(LINUX_VERSION_MAJOR, LINUX_VERSION_PATCHLEVEL, 0) >= \
	 KERNEL_VERSION(major, minor, 0))

#if KERNEL_SINCE(7, 3)
#define create_mode umode_t mode
#else
#define create_mode umode_t mode, bool excl	/* .create was told of O_EXCL */
#endif

#if !KERNEL_SINCE(6, 19)
/* Now a flag keeps a name in memory; before, one reference more than users. */
static void d_make_persistent(struct dentry *dentry, struct inode *inode)
{
	d_instantiate(dentry, inode);
	dget(dentry);
}

#define kill_anon_super kill_litter_super	/* drops those references */
#endif

#if !KERNEL_SINCE(6, 3)
#define mnt_idmap user_namespace	/* how a mount maps the owners of files */
#endif

static ssize_t jotfs_read(struct file *file, char __user *buffer,
			  size_t count, loff_t *pos)
{
	struct inode *inode = file_inode(file);
	char *text = inode->i_private;
	ssize_t done;

	inode_lock_shared(inode);
	/*
	 * BEGIN SOLUTION: the file's content is the first i_size_read(inode)
	 * bytes of text: hand out what lies from *pos on, at most count bytes,
	 * and nothing (0) at the end; simple_read_from_buffer() knows how
	 */
	done = simple_read_from_buffer(buffer, count, pos, text, i_size_read(inode));
	/* SKELETON: done = text ? 0 : -EIO; */
	/* END SOLUTION */
	inode_unlock_shared(inode);
	return done;
}

static ssize_t jotfs_write(struct file *file, const char __user *buffer,
			   size_t count, loff_t *pos)
{
	struct inode *inode = file_inode(file);
	char *text = inode->i_private;
	ssize_t done;

	inode_lock(inode);
	if (file->f_flags & O_APPEND)
		*pos = i_size_read(inode);
	/*
	 * BEGIN SOLUTION: if *pos is at MOST already, nothing fits: -ENOSPC.
	 * Else simple_write_to_buffer() takes what fits and moves *pos; a file
	 * that has grown by that needs a new size: i_size_write(inode, *pos)
	 */
	done = -ENOSPC;
	if (*pos < MOST || !count)
		done = simple_write_to_buffer(text, MOST, pos, buffer, count);
	if (done > 0 && *pos > i_size_read(inode))
		i_size_write(inode, *pos);
	/* SKELETON: done = text ? count : -EIO; */
	/* END SOLUTION */
	inode_unlock(inode);
	return done;
}

static const struct file_operations jotfs_file_fops = {
	.owner	= THIS_MODULE,
	.read	= jotfs_read,
	.write	= jotfs_write,
	.llseek	= generic_file_llseek,
};

/* chmod, chown, truncate: afterwards what lies behind the end is zeros again. */
static int jotfs_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
			 struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err = simple_setattr(idmap, dentry, attr);

	if (!err && (attr->ia_valid & ATTR_SIZE))
		memset(inode->i_private + attr->ia_size, 0, MOST - attr->ia_size);
	return err;
}

static const struct inode_operations jotfs_file_iops = {
	.setattr	= jotfs_setattr,
};

static int jotfs_create(struct mnt_idmap *idmap, struct inode *dir,
			struct dentry *dentry, create_mode)
{
	struct inode *inode = new_inode(dir->i_sb);

	if (!inode)
		return -ENOMEM;
	inode->i_private = kzalloc(MOST, GFP_KERNEL);
	if (!inode->i_private) {
		iput(inode);	/* drops it: jotfs_evict_inode() is called */
		return -ENOMEM;
	}
	inode->i_ino = get_next_ino();
	inode->i_op = &jotfs_file_iops;
	inode->i_fop = &jotfs_file_fops;
	inode_init_owner(idmap, inode, dir, mode);
	d_make_persistent(dentry, inode);	/* the name stays until it is unlinked */
	return 0;
}

static const struct inode_operations jotfs_dir_iops = {
	.lookup	= simple_lookup,
	.create	= jotfs_create,
	.unlink	= simple_unlink,	/* takes the name away; the inode follows */
};

/*
 * The end of an inode: its last name is gone, and nobody has it open any more;
 * or the filesystem is being unmounted. The kernel then frees the inode itself,
 * but knows nothing of i_private.
 */
static void jotfs_evict_inode(struct inode *inode)
{
	/*
	 * BEGIN SOLUTION: clear_inode(inode) tells the kernel that we know that
	 * this is the end; then give the file's memory back
	 */
	clear_inode(inode);
	kfree(inode->i_private);
	/* SKELETON: clear_inode(inode); */
	/* END SOLUTION */
}

static const struct super_operations jotfs_super_ops = {
	.statfs		= simple_statfs,
	.evict_inode	= jotfs_evict_inode,
};

static int jotfs_fill(struct super_block *sb, struct fs_context *fc)
{
	static const struct tree_descr nothing[] = { { "" } };
	int err = simple_fill_super(sb, JOTFS_MAGIC, nothing);

	if (err)
		return err;
	sb->s_op = &jotfs_super_ops;
	sb->s_maxbytes = MOST;
	d_inode(sb->s_root)->i_op = &jotfs_dir_iops;
	return 0;
}

static int jotfs_get_tree(struct fs_context *fc)
{
	return get_tree_nodev(fc, jotfs_fill);
}

static const struct fs_context_operations jotfs_context_ops = {
	.get_tree = jotfs_get_tree,
};

static int jotfs_init_context(struct fs_context *fc)
{
	fc->ops = &jotfs_context_ops;
	return 0;
}

static struct file_system_type jotfs = {
	.owner			= THIS_MODULE,
	.name			= "jotfs",
	.init_fs_context	= jotfs_init_context,
	.kill_sb		= kill_anon_super,
};

static int __init jotfs_init(void)
{
	return register_filesystem(&jotfs);
}

static void __exit jotfs_exit(void)
{
	unregister_filesystem(&jotfs);
}

module_init(jotfs_init);
module_exit(jotfs_exit);

MODULE_DESCRIPTION("A filesystem for jottings");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
