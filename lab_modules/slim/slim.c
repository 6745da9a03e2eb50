// SPDX-License-Identifier: GPL-2.0
/*
 * slim: works a digest out of a large table while it is loaded. Afterwards only
 * the digest is needed, and the little that answers for it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#define TABLE_SIZE 32768
#define SCRATCH_SIZE 4096

static uint seed;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "what to begin with");

static uint digest;
module_param(digest, uint, 0444);
MODULE_PARM_DESC(digest, "the result (to be read only)");

/* BEGIN SOLUTION: who needs these two once slim_init() has returned? */
static const u8 table[TABLE_SIZE] __initconst = {
	[0 ... 6] = 0x5a, [7] = 3, [8 ... TABLE_SIZE - 2] = 0x5a, [TABLE_SIZE - 1] = 200,
};

static u32 scratch[SCRATCH_SIZE] __initdata;
/* SKELETON: static const u8 table[TABLE_SIZE] = { */
/* SKELETON:	[0 ... 6] = 0x5a, [7] = 3, [8 ... TABLE_SIZE - 2] = 0x5a, [TABLE_SIZE - 1] = 200, */
/* SKELETON: }; */
/* SKELETON: static u32 scratch[SCRATCH_SIZE]; */
/* END SOLUTION */

static noinline u32 mix(u32 value, u32 place)
{
	return (value ^ seed) * (place % 31 + 1);
}

/* BEGIN SOLUTION: and this function, and the two at the end? */
static noinline u32 __init fold(void)
/* SKELETON: static noinline u32 fold(void) */
/* END SOLUTION */
{
	u32 i, sum = 0;

	for (i = 0; i < TABLE_SIZE; i++)
		scratch[i % SCRATCH_SIZE] += mix(table[i], i);
	for (i = 0; i < SCRATCH_SIZE; i++)
		sum ^= scratch[i];
	return sum;
}

/* cat /sys/module/slim/parameters/mixed */
static int mixed_get(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%u\n", mix(digest, 1));
}

static const struct kernel_param_ops mixed_ops = {
	.get = mixed_get,
};
module_param_cb(mixed, &mixed_ops, NULL, 0444);
MODULE_PARM_DESC(mixed, "the digest, mixed once more (to be read only)");

/* BEGIN SOLUTION: this one */
static int __init slim_init(void)
/* SKELETON: static int slim_init(void) */
/* END SOLUTION */
{
	digest = fold();
	return 0;
}

/* BEGIN SOLUTION: and this one */
static void __exit slim_exit(void)
/* SKELETON: static void slim_exit(void) */
/* END SOLUTION */
{
}

module_init(slim_init);
module_exit(slim_exit);

MODULE_DESCRIPTION("Keeps no more memory than it needs");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
