// SPDX-License-Identifier: GPL-2.0
/* two_modules: the neighbour that the other module leans on. */

#include <linux/module.h>
#include "library.h"

long library_sum(const struct numbers *numbers)
{
	long sum = 0;
	int i;

	/* DELIBERATE BUG: neither side looks whether there are numbers */
	for (i = 0; i < numbers->count; i++) /* HERE */
		sum += numbers->number[i];
	return sum;
}
EXPORT_SYMBOL_GPL(library_sum);

MODULE_DESCRIPTION("Faulty on purpose: two_modules, the library");
MODULE_LICENSE("GPL");
