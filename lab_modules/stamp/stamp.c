// SPDX-License-Identifier: GPL-2.0
/*
 * stamp: the checksum of a text, by a function that another module offers:
 * crc16() of crc16.ko.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/crc16.h>	/* u16 crc16(u16 start, const u8 *bytes, size_t length); */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/string.h>

static char *text = "";
module_param(text, charp, 0444);
MODULE_PARM_DESC(text, "what to stamp");

static ushort sum;
module_param(sum, ushort, 0444);
MODULE_PARM_DESC(sum, "its checksum (to be read only)");

static int __init stamp_init(void)
{
	/*
	 * BEGIN SOLUTION: refuse an empty text with -EINVAL; let crc16() work
	 * out the checksum of all its characters, from the start value 0
	 */
	if (!*text)
		return -EINVAL;
	sum = crc16(0, (const u8 *)text, strlen(text));
	/* END SOLUTION */
	pr_info("%s: %u\n", text, sum);
	return 0;
}

static void __exit stamp_exit(void)
{
}

module_init(stamp_init);
module_exit(stamp_exit);

MODULE_DESCRIPTION("The checksum of a text, by a function of another module");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
