/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LIBRARY_H
#define LIBRARY_H

struct numbers {
	int count;
	int number[4];
};

long library_sum(const struct numbers *numbers);

#endif
