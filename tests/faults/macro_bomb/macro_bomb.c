// SPDX-License-Identifier: GPL-2.0
/*
 * macro_bomb: Ten billion tokens out of ten macros: the compiler runs into the
 * sandbox's limits.
 */

#include <linux/module.h>

#define A0 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
#define A1 A0 A0 A0 A0 A0 A0 A0 A0 A0 A0
#define A2 A1 A1 A1 A1 A1 A1 A1 A1 A1 A1
#define A3 A2 A2 A2 A2 A2 A2 A2 A2 A2 A2
#define A4 A3 A3 A3 A3 A3 A3 A3 A3 A3 A3
#define A5 A4 A4 A4 A4 A4 A4 A4 A4 A4 A4
#define A6 A5 A5 A5 A5 A5 A5 A5 A5 A5 A5
#define A7 A6 A6 A6 A6 A6 A6 A6 A6 A6 A6
#define A8 A7 A7 A7 A7 A7 A7 A7 A7 A7 A7
#define A9 A8 A8 A8 A8 A8 A8 A8 A8 A8 A8

/* DELIBERATE BUG: hostile */
static const char table[] = { A9 };

static int __init macro_bomb_init(void)
{
	return table[0] == 2;
}

static void __exit macro_bomb_exit(void)
{
}

module_init(macro_bomb_init);
module_exit(macro_bomb_exit);

MODULE_DESCRIPTION("Faulty on purpose: macro_bomb");
MODULE_LICENSE("GPL");
