/* SPDX-License-Identifier: MIT */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MOST_PATHS 128

/* What was asked for on the command line. */
struct plan {
	const char *read[MOST_PATHS];
	const char *device[MOST_PATHS];
	size_t reads, devices;
	uint64_t memory, processes, file, cpu, space; /* limits: bytes, tasks, bytes, seconds, bytes */
	long owner;  /* the process that must have started this one */
	long user;   /* user id to take on, or -1 */
	long newest; /* version of Landlock up to which to use what there is */
	bool open;   /* shut nothing: limits, and the end of all that is left, only */
	int report;  /* descriptor that is told how it ended */
	char **argv; /* the job */
};

/* main.c: ends this process, having told the report at which step and why. */
_Noreturn void give_up(const char *step);

/* landlock.c: nothing but the plan's paths can be opened from here on; returns Landlock's version. */
int shut_files(const struct plan *plan);

/* filter.c: nothing but what a compiler needs can be asked of the kernel from here on. */
void shut_calls(bool signals_are_scoped, bool own_user);

/* limits.c */
void set_limits(const struct plan *plan);
void take_user(long user, int right);

/* watch.c: whether the job holds more than so many bytes of the disk, in the working folder or in files without a name. */
bool too_much(int folder, uint64_t space);
bool kill_children(void);

#endif
