// SPDX-License-Identifier: GPL-2.0
/*
 * motto: /dev/motto can be read like a file. Its text is the parameter "text".
 *
 * A program may read in pieces as small as it likes: each read() goes on where
 * the last one of the same open file ended, and 0 says that this is the end.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/uaccess.h>

static char *text = "one step at a time";
module_param(text, charp, 0444);
MODULE_PARM_DESC(text, "what can be read");

/*
 * buffer: where the program wants the bytes, count: how many at most,
 * *pos: from which byte of the text on. Returns how many bytes were given.
 */
static ssize_t motto_read(struct file *file, char __user *buffer,
			  size_t count, loff_t *pos)
{
	/*
	 * BEGIN SOLUTION: give at most count bytes from *pos on, and move *pos;
	 * return how many, 0 at the end, -EFAULT if buffer is no good
	 */
	size_t length = strlen(text);

	if (*pos >= length)
		return 0;
	count = min_t(size_t, count, length - *pos);
	if (copy_to_user(buffer, text + *pos, count))
		return -EFAULT;
	*pos += count;
	return count;
	/* SKELETON: return 0; */
	/* END SOLUTION */
}

static const struct file_operations motto_fops = {
	.owner	= THIS_MODULE,
	.read	= motto_read,
	.llseek	= default_llseek,
};

static struct miscdevice motto = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "motto",
	.fops	= &motto_fops,
	.mode	= 0444,
};

static int __init motto_init(void)
{
	return misc_register(&motto);
}

static void __exit motto_exit(void)
{
	misc_deregister(&motto);
}

module_init(motto_init);
module_exit(motto_exit);

MODULE_DESCRIPTION("A device that can be read like a file");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
