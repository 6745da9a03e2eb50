// SPDX-License-Identifier: MIT
/*
 * Landlock: which files can be opened. The numbers are those of the kernel's interface; the headers of a distribution
 * are often older than its kernel, so they are written out here, with the version from which they hold.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"

#define CREATE_RULESET 444
#define ADD_RULE 445
#define RESTRICT_SELF 446
#define ASK_VERSION 1U
#define PATH_BENEATH 1

#define EXECUTE (1ULL << 0)
#define WRITE_FILE (1ULL << 1)
#define READ_FILE (1ULL << 2)
#define READ_DIR (1ULL << 3)
#define MAKE_CHAR (1ULL << 6)
#define MAKE_SOCK (1ULL << 9)
#define MAKE_BLOCK (1ULL << 11)
#define REFER (1ULL << 13)     /* 2: move and link between folders; before, that is always refused */
#define TRUNCATE (1ULL << 14)  /* 3: before, filter.c refuses what could truncate a file of others */
#define IOCTL_DEV (1ULL << 15) /* 5: before, filter.c alone says which ioctls there are */
#define ALL_OF_1 ((1ULL << 13) - 1)
#define TCP 3ULL   /* 4: bind and connect; filter.c refuses every socket besides */
#define SCOPES 3ULL /* 6: abstract sockets, signals; before, filter.c refuses signals to others */

struct ruleset {
	uint64_t files, network, scopes;
};

struct beneath {
	uint64_t rights;
	int32_t folder;
} __attribute__((packed));

/* What is not there is not shown. */
static void allow(int ruleset, const char *path, uint64_t rights, uint64_t handled)
{
	struct beneath rule = { .rights = rights & handled };
	struct stat facts;

	rule.folder = open(path, O_PATH | O_CLOEXEC);
	if (rule.folder < 0) {
		if (errno == ENOENT || errno == EACCES)
			return;
		give_up(path);
	}
	if (fstat(rule.folder, &facts))
		give_up(path);
	if (!S_ISDIR(facts.st_mode))
		rule.rights &= EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE;
	if (syscall(ADD_RULE, ruleset, PATH_BENEATH, &rule, 0))
		give_up(path);
	close(rule.folder);
}

int shut_files(const struct plan *plan)
{
	struct ruleset wanted = { .files = ALL_OF_1 };
	long version = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
	int ruleset;

	if (version < 1)
		give_up("landlock");
	if (version > plan->newest)
		version = plan->newest;
	if (version >= 2)
		wanted.files |= REFER;
	if (version >= 3)
		wanted.files |= TRUNCATE;
	if (version >= 4)
		wanted.network = TCP;
	if (version >= 5)
		wanted.files |= IOCTL_DEV;
	if (version >= 6)
		wanted.scopes = SCOPES;
	ruleset = (int)syscall(CREATE_RULESET, &wanted, sizeof(wanted), 0);
	if (ruleset < 0)
		give_up("landlock");
	for (size_t i = 0; i < plan->reads; i++)
		allow(ruleset, plan->read[i], EXECUTE | READ_FILE | READ_DIR, wanted.files);
	for (size_t i = 0; i < plan->devices; i++)
		allow(ruleset, plan->device[i], READ_FILE | WRITE_FILE | TRUNCATE, wanted.files);
	allow(ruleset, ".", ~(MAKE_CHAR | MAKE_BLOCK | MAKE_SOCK | IOCTL_DEV), wanted.files);
	if (syscall(RESTRICT_SELF, ruleset, 0))
		give_up("landlock");
	close(ruleset);
	return (int)version;
}
