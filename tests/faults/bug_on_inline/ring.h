/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RING_H
#define RING_H

#include <linux/bug.h>

#define RING_SIZE 4

struct ring {
	unsigned int used;
	char data[RING_SIZE];
};

static inline void ring_put(struct ring *ring, char c)
{
	/* DELIBERATE BUG: a full ring is no reason to stop the kernel */
	BUG_ON(ring->used == RING_SIZE); /* HERE */
	ring->data[ring->used++] = c;
}

#endif
