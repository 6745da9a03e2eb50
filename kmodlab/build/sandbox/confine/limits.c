// SPDX-License-Identifier: MIT
/* Limits on resources, and a user id of its own where root starts this. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"

#define MOST_TASKS (1U << 22) /* the kernel's own limit */

static void limit(int resource, uint64_t soft, uint64_t hard)
{
	struct rlimit now, wanted;

	if (getrlimit(resource, &now))
		give_up("getrlimit");
	wanted.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
	wanted.rlim_cur = soft < wanted.rlim_max ? soft : wanted.rlim_max;
	if (setrlimit(resource, &wanted))
		give_up("setrlimit");
}

static bool can_fork(rlim_t tasks, rlim_t hard)
{
	struct rlimit limit = { .rlim_cur = tasks < hard ? tasks : hard, .rlim_max = hard };
	pid_t child;

	if (setrlimit(RLIMIT_NPROC, &limit))
		give_up("setrlimit");
	child = fork();
	if (!child)
		_exit(0);
	if (child < 0 && errno != EAGAIN)
		give_up("fork");
	return child > 0 && waitpid(child, NULL, 0) == child;
}

/*
 * How many tasks this user has. The limit counts them all, those in other containers too, which no /proc shows; so it
 * is found out as the kernel would say it, by trying.
 */
static rlim_t tasks_of_user(void)
{
	rlim_t low = 0, high = MOST_TASKS;
	struct rlimit before;

	if (getrlimit(RLIMIT_NPROC, &before))
		give_up("getrlimit");
	if (before.rlim_max < high)
		high = before.rlim_max;
	while (low + 1 < high) {
		rlim_t middle = low + (high - low) / 2;

		if (can_fork(middle, before.rlim_max))
			high = middle;
		else
			low = middle;
	}
	before.rlim_cur = before.rlim_max;
	if (setrlimit(RLIMIT_NPROC, &before))
		give_up("setrlimit");
	return high - 1;
}

void set_limits(const struct plan *plan)
{
	rlim_t others = plan->user < 0 && geteuid() ? tasks_of_user() : 0;

	limit(RLIMIT_NPROC, others + plan->processes, others + plan->processes);
	limit(RLIMIT_AS, plan->memory, plan->memory);
	limit(RLIMIT_FSIZE, plan->file, plan->file);
	limit(RLIMIT_CPU, plan->cpu, plan->cpu + 5);
	limit(RLIMIT_NOFILE, 1024, 1024);
	limit(RLIMIT_CORE, 0, 0);
	limit(RLIMIT_MEMLOCK, 0, 0);
	limit(RLIMIT_MSGQUEUE, 0, 0);
}

/*
 * One right of root's is kept: to pass folders that only root may enter, such as the one in which root's cache lies.
 */
void take_user(long user, int right)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct rights[2] = { { 0 } };

	for (int other = 0; other <= 63; other++)
		if (other != right && prctl(PR_CAPBSET_DROP, other) && errno != EINVAL)
			give_up("drop rights");
	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL))
		give_up("keep a right");
	if (setresgid((gid_t)user, (gid_t)user, (gid_t)user) || setresuid((uid_t)user, (uid_t)user, (uid_t)user))
		give_up("change user");
	rights[0].effective = rights[0].permitted = rights[0].inheritable = 1U << right;
	if (syscall(SYS_capset, &head, rights))
		give_up("keep a right");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, right, 0, 0))
		give_up("keep a right");
}
