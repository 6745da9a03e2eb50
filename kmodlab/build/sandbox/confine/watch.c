// SPDX-License-Identifier: MIT
/* What the job takes of the disk, and its processes. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"

#define DEEPEST 100
#define EACH_NAME 4096 /* bytes that a name counts for, so that empty files are bounded too */

static bool add(uint64_t *left, uint64_t amount)
{
	if (amount > *left)
		return false;
	*left -= amount;
	return true;
}

static DIR *open_folder(int parent, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags);

	/* A folder may be made such that it cannot be looked into. */
	if (fd < 0 && errno == EACCES && !fchmodat(parent, name, 0700, 0))
		fd = openat(parent, name, flags);
	return fd < 0 ? NULL : fdopendir(fd);
}

/* Take what lies in a folder off what is left; false if that does not suffice. */
static bool folder_fits(int parent, const char *name, uint64_t *left, int depth)
{
	struct dirent *entry;
	bool fits = true;
	DIR *folder;

	if (depth > DEEPEST)
		return false;
	folder = open_folder(parent, name);
	if (!folder)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP; /* it has gone meanwhile */
	while (fits && (entry = readdir(folder))) {
		struct stat facts;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (fstatat(dirfd(folder), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW))
			continue;
		fits = add(left, EACH_NAME + 512ULL * (uint64_t)facts.st_blocks);
		if (fits && S_ISDIR(facts.st_mode))
			fits = folder_fits(dirfd(folder), entry->d_name, left, depth + 1);
	}
	closedir(folder);
	return fits;
}

typedef bool visit(pid_t pid, void *context);

/* Call something for each child of a process until it says no. */
static bool each_child(pid_t pid, visit *call, void *context)
{
	char path[64];
	struct dirent *task;
	bool on = true;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return pid != getpid(); /* it has ended */
	while (on && (task = readdir(tasks))) {
		char name[400];
		FILE *children;
		int child;

		snprintf(name, sizeof(name), "%s/%s/children", path, task->d_name);
		if (task->d_name[0] == '.')
			continue;
		children = fopen(name, "re");
		if (!children && pid == getpid())
			on = false;
		while (children && on && fscanf(children, "%d", &child) == 1)
			on = call(child, context);
		if (children)
			fclose(children);
	}
	closedir(tasks);
	return on;
}

struct hidden {
	uint64_t left;
	dev_t disk;
};

/*
 * For a moment, while it becomes another program, no process can be looked at. One that still cannot be a second later
 * has seen to that itself.
 */
#define PATIENCE 25
static pid_t unseen, candidate;
static int times;

static bool may_be_unseen(pid_t pid)
{
	if (pid != unseen) {
		candidate = pid;
		return true;
	}
	candidate = unseen;
	return ++times <= PATIENCE;
}

/* Files that were removed while a process has them open are in no folder. */
static bool hidden_fits(pid_t pid, void *context)
{
	struct hidden *hidden = context;
	struct dirent *entry;
	bool fits = true;
	char path[64];
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = opendir(path);
	if (!fds && errno != ENOENT && errno != ESRCH)
		return may_be_unseen(pid);
	while (fds && fits && (entry = readdir(fds))) {
		struct stat facts;

		if (fstatat(dirfd(fds), entry->d_name, &facts, 0) || !S_ISREG(facts.st_mode))
			continue;
		if (!facts.st_nlink && facts.st_dev == hidden->disk)
			fits = add(&hidden->left, EACH_NAME + 512ULL * (uint64_t)facts.st_blocks);
	}
	if (fds)
		closedir(fds);
	return fits && each_child(pid, hidden_fits, context);
}

bool too_much(int folder, uint64_t space)
{
	struct hidden hidden = { .left = space };
	struct stat facts;

	if (fstat(folder, &facts) || !folder_fits(folder, ".", &hidden.left, 0))
		return true;
	hidden.disk = facts.st_dev;
	candidate = 0;
	if (!each_child(getpid(), hidden_fits, &hidden))
		return true;
	if (candidate != unseen)
		times = 0;
	unseen = candidate;
	return false;
}

static bool kill_one(pid_t pid, void *context)
{
	(void)context;
	return !kill(pid, SIGKILL) || errno == ESRCH;
}

bool kill_children(void)
{
	return each_child(getpid(), kill_one, NULL);
}
