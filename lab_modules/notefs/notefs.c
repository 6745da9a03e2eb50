// SPDX-License-Identifier: GPL-2.0
/*
 * notefs: a filesystem in memory.	mount -t notefs -o size=1m none /mnt
 *
 * The kernel's virtual filesystem (VFS) knows three kinds of object:
 *   super block	one mounted filesystem
 *   inode		one file or directory: owner, mode, size, times, content
 *   dentry		one name in a directory, which leads to an inode
 * Each points to a table of functions; to write a filesystem is to fill in the
 * tables. In notefs the dentries, which the kernel keeps in memory anyway, are
 * the only record of the names; the content of files lies in blocks that notefs
 * allocates, finds and frees. See Documentation/filesystems/vfs.rst.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include <linux/uio.h>
#include <linux/xarray.h>

#include "notefs_compat.h"

#define NOTEFS_MAGIC	0x6e6f7465	/* "note"; stat -f shows it */
#define NOTEFS_SIZE	SZ_16M		/* without the option size= */

/* What notefs adds to a super block. A block is as large as a page. */
struct notefs_sb {
	unsigned long limit;		/* blocks that there may be */
	atomic_long_t used;		/* blocks of data, and one an inode */
	atomic_long_t inodes;
};

/* What notefs adds to an inode. Blocks never written are absent: "holes". */
struct notefs_inode {
	struct xarray blocks;		/* by their number in the file */
	struct inode vfs;
};

static struct kmem_cache *notefs_inodes;

static struct notefs_sb *notefs_sb(struct super_block *sb)
{
	return sb->s_fs_info;
}

static struct notefs_inode *notefs_i(struct inode *inode)
{
	return container_of(inode, struct notefs_inode, vfs);
}

/* Count one block more, unless the filesystem is full. */
static int notefs_charge(struct super_block *sb)
{
	struct notefs_sb *info = notefs_sb(sb);

	if (atomic_long_inc_return(&info->used) <= info->limit)
		return 0;
	atomic_long_dec(&info->used);
	return -ENOSPC;
}

/* Find block number "index" of a file, or add it, filled with zeros. */
static char *notefs_block(struct inode *inode, pgoff_t index)
{
	struct xarray *blocks = &notefs_i(inode)->blocks;
	char *block = xa_load(blocks, index);
	int err = -ENOMEM;

	if (block)
		return block;
	if (notefs_charge(inode->i_sb))
		return ERR_PTR(-ENOSPC);
	block = (char *)get_zeroed_page(GFP_KERNEL);
	if (!block)
		goto uncharge;
	err = xa_err(xa_store(blocks, index, block, GFP_KERNEL));
	if (err)
		goto free;
	inode_add_bytes(inode, PAGE_SIZE);	/* what du counts */
	return block;

free:
	free_page((unsigned long)block);
uncharge:
	atomic_long_dec(&notefs_sb(inode->i_sb)->used);
	return ERR_PTR(err);
}

/* Free what lies beyond "size", and wipe the rest of the last block. */
static void notefs_cut(struct inode *inode, loff_t size)
{
	struct xarray *blocks = &notefs_i(inode)->blocks;
	unsigned long index;
	char *block;

	xa_for_each_start(blocks, index, block, DIV_ROUND_UP_ULL(size, PAGE_SIZE)) {
		xa_erase(blocks, index);
		free_page((unsigned long)block);
		inode_sub_bytes(inode, PAGE_SIZE);
		atomic_long_dec(&notefs_sb(inode->i_sb)->used);
	}
	block = xa_load(blocks, size >> PAGE_SHIFT);
	if (block)
		memset(block + offset_in_page(size), 0,
		       PAGE_SIZE - offset_in_page(size));
}

/*
 * read(), readv(), pread(): an iov_iter is the caller's memory in whatever form,
 * a kiocb the open file and the position. Readers share the inode's lock.
 */
static ssize_t notefs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t done = 0;
	loff_t left;

	inode_lock_shared(inode);
	left = i_size_read(inode) - iocb->ki_pos;
	iov_iter_truncate(to, max_t(loff_t, left, 0));
	while (iov_iter_count(to)) {
		size_t offset = offset_in_page(iocb->ki_pos);
		size_t want = min(PAGE_SIZE - offset, iov_iter_count(to));
		char *block = xa_load(&notefs_i(inode)->blocks,
				      iocb->ki_pos >> PAGE_SHIFT);
		size_t copied;

		copied = block ? copy_to_iter(block + offset, want, to) :
				 iov_iter_zero(want, to);
		iocb->ki_pos += copied;
		done += copied;
		if (copied < want) {	/* an address that is not the caller's */
			done = done ?: -EFAULT;
			break;
		}
	}
	inode_unlock_shared(inode);
	file_accessed(iocb->ki_filp);
	return done;
}

/* write() and its relatives: as much as there is room for. */
static ssize_t notefs_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	ssize_t done = 0;
	ssize_t err;

	inode_lock(inode);
	/* Moves the position to the end for O_APPEND; obeys ulimit -f. */
	err = generic_write_checks(iocb, from);
	if (err <= 0)
		goto unlock;
	/* A program that is changed loses its set-uid bit. */
	err = file_remove_privs(file) ?: file_update_time(file);
	if (err)
		goto unlock;
	while (iov_iter_count(from)) {
		size_t offset = offset_in_page(iocb->ki_pos);
		size_t want = min(PAGE_SIZE - offset, iov_iter_count(from));
		char *block = notefs_block(inode, iocb->ki_pos >> PAGE_SHIFT);
		size_t copied;

		if (IS_ERR(block)) {
			err = PTR_ERR(block);
			break;
		}
		copied = copy_from_iter(block + offset, want, from);
		iocb->ki_pos += copied;
		done += copied;
		if (iocb->ki_pos > i_size_read(inode))
			i_size_write(inode, iocb->ki_pos);
		if (copied < want) {
			err = -EFAULT;
			break;
		}
	}
unlock:
	inode_unlock(inode);
	return done ?: err;
}

/* chmod, chown, utimes and truncate; the VFS holds the inode's lock. */
static int notefs_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
			  struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err = setattr_prepare(idmap, dentry, attr);	/* may the caller? */

	if (err)
		return err;
	if (attr->ia_valid & ATTR_SIZE) {
		if (attr->ia_size < i_size_read(inode))
			notefs_cut(inode, attr->ia_size);
		i_size_write(inode, attr->ia_size);
	}
	setattr_copy(idmap, inode, attr);
	return 0;
}

/* No .mmap: our blocks are not in the page cache. */
static const struct file_operations notefs_file_fops = {
	.llseek		= generic_file_llseek,
	.read_iter	= notefs_read_iter,
	.write_iter	= notefs_write_iter,
	.splice_write	= iter_file_splice_write,
	.fsync		= noop_fsync,	/* no disk to wait for */
};

static const struct inode_operations notefs_file_iops = {
	.setattr	= notefs_setattr,
};

static const struct inode_operations notefs_dir_iops;

/* Set the times named in "which" (ATTR_MTIME | …) to the present. */
static void notefs_touch(struct mnt_idmap *idmap, struct inode *inode,
			 unsigned int which)
{
	struct timespec64 now = current_time(inode);
	struct iattr attr = {
		.ia_valid = which,
		.ia_atime = now,
		.ia_mtime = now,
		.ia_ctime = now,
	};

	setattr_copy(idmap, inode, &attr);
}

static struct inode *notefs_new_inode(struct mnt_idmap *idmap, struct super_block *sb,
				      struct inode *dir, umode_t mode)
{
	struct inode *inode;

	if (notefs_charge(sb))
		return ERR_PTR(-ENOSPC);
	inode = new_inode(sb);
	if (!inode) {
		atomic_long_dec(&notefs_sb(sb)->used);
		return ERR_PTR(-ENOMEM);
	}
	atomic_long_inc(&notefs_sb(sb)->inodes);
	inode->i_ino = get_next_ino();
	inode_init_owner(idmap, inode, dir, mode);
	notefs_touch(idmap, inode, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	if (S_ISDIR(mode)) {
		inode->i_op = &notefs_dir_iops;
		inode->i_fop = &simple_dir_operations;	/* lists the dentries */
		inc_nlink(inode);			/* its own entry "." */
	} else {
		inode->i_op = &notefs_file_iops;
		inode->i_fop = &notefs_file_fops;
	}
	return inode;
}

/* The VFS holds the directory's lock and knows that the name is free. */
static int notefs_add(struct mnt_idmap *idmap, struct inode *dir,
		      struct dentry *dentry, umode_t mode)
{
	struct inode *inode = notefs_new_inode(idmap, dir->i_sb, dir, mode);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	d_make_persistent(dentry, inode);
	notefs_touch(idmap, dir, ATTR_MTIME | ATTR_CTIME);
	return 0;
}

static int notefs_create(struct mnt_idmap *idmap, struct inode *dir,
			 struct dentry *dentry, create_mode)
{
	return notefs_add(idmap, dir, dentry, mode);
}

static mkdir_result notefs_mkdir(struct mnt_idmap *idmap, struct inode *dir,
				 struct dentry *dentry, umode_t mode)
{
	int err = notefs_add(idmap, dir, dentry, mode | S_IFDIR);

	if (!err)
		inc_nlink(dir);		/* the new directory's entry ".." */
	return mkdir_return(err);
}

/*
 * The simple_… functions are the kernel's own, for filesystems whose names live
 * in dentries only: they count links, set times and let go of the dentry. An
 * inode ends when its last link and its last user are gone.
 */
static const struct inode_operations notefs_dir_iops = {
	.lookup		= simple_lookup,	/* no dentry: no such file */
	.create		= notefs_create,
	.mkdir		= notefs_mkdir,
	.link		= simple_link,
	.unlink		= simple_unlink,
	.rmdir		= simple_rmdir,
	.rename		= simple_rename,
	.setattr	= notefs_setattr,
};

static struct inode *notefs_alloc_inode(struct super_block *sb)
{
	struct notefs_inode *note = alloc_inode_sb(sb, notefs_inodes, GFP_KERNEL);

	if (!note)
		return NULL;
	xa_init(&note->blocks);
	return &note->vfs;
}

/* The last use of an inode: whatever hangs on it goes. */
static void notefs_evict_inode(struct inode *inode)
{
	clear_inode(inode);
	notefs_cut(inode, 0);
	atomic_long_dec(&notefs_sb(inode->i_sb)->inodes);
	atomic_long_dec(&notefs_sb(inode->i_sb)->used);
}

/* A moment later (RCU), when no path walk can be looking at it any more. */
static void notefs_free_inode(struct inode *inode)
{
	kmem_cache_free(notefs_inodes, notefs_i(inode));
}

/* What df shows. */
static int notefs_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct notefs_sb *info = notefs_sb(dentry->d_sb);

	buf->f_type = NOTEFS_MAGIC;
	buf->f_bsize = PAGE_SIZE;
	buf->f_blocks = info->limit;
	buf->f_bfree = info->limit - atomic_long_read(&info->used);
	buf->f_bavail = buf->f_bfree;
	buf->f_files = atomic_long_read(&info->inodes) + buf->f_bfree;
	buf->f_ffree = buf->f_bfree;	/* an inode costs a block */
	buf->f_namelen = NAME_MAX;
	buf->f_fsid = u64_to_fsid(huge_encode_dev(dentry->d_sb->s_dev));
	return 0;
}

/* The options in /proc/mounts. */
static int notefs_show_options(struct seq_file *seq, struct dentry *root)
{
	seq_printf(seq, ",size=%luk",
		   notefs_sb(root->d_sb)->limit << (PAGE_SHIFT - 10));
	return 0;
}

static const struct super_operations notefs_super_ops = {
	.alloc_inode	= notefs_alloc_inode,
	.evict_inode	= notefs_evict_inode,
	.free_inode	= notefs_free_inode,
	.statfs		= notefs_statfs,
	.show_options	= notefs_show_options,
};

/* mount(): the kernel makes a context, parses the options, gets the tree. */
static const struct fs_parameter_spec notefs_options[] = {
	fsparam_string("size", 0),
	{}
};

static int notefs_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct notefs_sb *info = fc->s_fs_info;
	struct fs_parse_result result;
	unsigned long long bytes;
	char *rest;
	int err = fs_parse(fc, notefs_options, param, &result);

	if (err < 0)
		return err;
	bytes = memparse(param->string, &rest);		/* knows k, m and g */
	if (*rest || bytes < PAGE_SIZE || bytes > MAX_LFS_FILESIZE)
		return invalf(fc, "notefs: bad size=%s", param->string);
	info->limit = bytes >> PAGE_SHIFT;
	return 0;
}

static int notefs_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct inode *root;

	sb->s_magic = NOTEFS_MAGIC;
	sb->s_op = &notefs_super_ops;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_time_gran = 1;			/* times in nanoseconds */

	root = notefs_new_inode(&nop_mnt_idmap, sb, NULL, S_IFDIR | 0755);
	if (IS_ERR(root))
		return PTR_ERR(root);
	sb->s_root = d_make_root(root);		/* drops the inode if it fails */
	return sb->s_root ? 0 : -ENOMEM;
}

/* It lies on no device, and each mount is a new filesystem. */
static int notefs_get_tree(struct fs_context *fc)
{
	return get_tree_nodev(fc, notefs_fill_super);
}

static void notefs_free_context(struct fs_context *fc)
{
	kfree(fc->s_fs_info);	/* NULL once a super block has taken it over */
}

static const struct fs_context_operations notefs_context_ops = {
	.parse_param	= notefs_parse_param,
	.get_tree	= notefs_get_tree,
	.free		= notefs_free_context,
};

static int notefs_init_context(struct fs_context *fc)
{
	struct notefs_sb *info = kzalloc(sizeof(*info), GFP_KERNEL);

	if (!info)
		return -ENOMEM;
	info->limit = NOTEFS_SIZE >> PAGE_SHIFT;
	fc->s_fs_info = info;
	fc->ops = &notefs_context_ops;
	return 0;
}

/* umount: all dentries and inodes go first, and must leave nothing behind. */
static void notefs_kill_sb(struct super_block *sb)
{
	struct notefs_sb *info = notefs_sb(sb);

	kill_anon_super(sb);
	WARN_ON(info && atomic_long_read(&info->used));
	kfree(info);
}

static struct file_system_type notefs_type = {
	.owner			= THIS_MODULE,	/* a mount holds the module */
	.name			= "notefs",
	.init_fs_context	= notefs_init_context,
	.parameters		= notefs_options,
	.kill_sb		= notefs_kill_sb,
};

/* Runs once for each inode's memory, not each time it is used again. */
static void notefs_init_once(void *memory)
{
	struct notefs_inode *note = memory;

	inode_init_once(&note->vfs);
}

static int __init notefs_init(void)
{
	int err;

	notefs_inodes = kmem_cache_create("notefs_inode", sizeof(struct notefs_inode),
					  0, SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
					  notefs_init_once);
	if (!notefs_inodes)
		return -ENOMEM;
	err = register_filesystem(&notefs_type);
	if (err)
		kmem_cache_destroy(notefs_inodes);
	return err;
}

static void __exit notefs_exit(void)
{
	unregister_filesystem(&notefs_type);
	rcu_barrier();		/* let the last notefs_free_inode() happen */
	kmem_cache_destroy(notefs_inodes);
}

module_init(notefs_init);
module_exit(notefs_exit);

MODULE_ALIAS_FS("notefs");	/* lets mount load the module by itself */
MODULE_DESCRIPTION("A filesystem in memory, with blocks of its own");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
