/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FAULTY_H
#define FAULTY_H

#include <linux/kernel.h>

/* A fault in an inline function of a header: two lines are to blame, this one and the caller's. */
static __always_inline void faulty_store(int *where, int value)
{
	barrier();
	WRITE_ONCE(*where, value);	/* LINE: store */
	barrier();
}

struct faulty {
	const char *name;
	void (*run)(void);
};

extern const struct faulty faulty_memory[];
extern const struct faulty faulty_time[];

extern void *faulty_null;

#endif
