/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* For programs that measure how fast /dev/scribble is. */
#ifndef SCRIBBLE_TIME_H
#define SCRIBBLE_TIME_H

#include <time.h>

/* Microseconds since some moment in the past. */
static inline double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

#endif
