// SPDX-License-Identifier: MIT
/* What the agent does without a program of the guest, each in a forked child, with files and modules. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"

#define MODULE_INIT_COMPRESSED_FILE 4
#define SNAPSHOT_FILE_MAX (4u << 20)
#define SNAPSHOT_PIECE (64u << 10)

int complain(int error, const char *what, const char *object)
{
	dprintf(STDERR_FILENO, "%s %s: %s\n", what, object, strerror(error));
	return error;
}

static int write_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t put = write(fd, data, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return errno;
		data += put;
		length -= (size_t)put;
	}
	return 0;
}

/* Copy to the end of the input. Returns 0 or an errno, and in *culprit which side it came from. */
static int copy(int from, int to, bool *reading)
{
	static char piece[64 << 10];

	for (;;) {
		ssize_t got = read(from, piece, sizeof(piece));

		*reading = got < 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? errno : 0;
		int error = write_all(to, piece, (size_t)got);
		if (error)
			return error;
	}
}

/* Where a file of this name really goes: behind a symbolic link, never onto a device or a folder. */
static int resolve(const char *path, char target[PATH_MAX])
{
	struct stat info;

	if (stat(path, &info)) {
		if (errno != ENOENT)
			return errno;
		return snprintf(target, PATH_MAX, "%s", path) < PATH_MAX ? 0 : ENAMETOOLONG;
	}
	if (S_ISDIR(info.st_mode))
		return EISDIR;
	if (!S_ISREG(info.st_mode))
		return EINVAL;
	return realpath(path, target) ? 0 : errno;
}

static int write_file(const char *path, mode_t mode)
{
	char target[PATH_MAX], temporary[PATH_MAX];
	bool reading;
	int error = resolve(path, target);

	if (error)
		return error;
	if (snprintf(temporary, sizeof(temporary), "%s.%d.new", target, (int)getpid()) >= (int)sizeof(temporary))
		return ENAMETOOLONG;
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	error = copy(STDIN_FILENO, fd, &reading);
	if (!error && fchmod(fd, mode))
		error = errno;
	if (close(fd) && !error)
		error = errno;
	if (!error && rename(temporary, target))
		error = errno;
	if (error)
		unlink(temporary);
	return error;
}

static int load_file(const char *path, const char *parameters, int flags)
{
	static const char xz[] = "\xfd" "7zXZ", gzip[] = "\x1f\x8b", zstd[] = "\x28\xb5\x2f\xfd";
	char start[6] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_NAME, "insmod"); /* the name that an oops in the module's init shows */
	/* The host must be able to tell a file that is not there from a symbol that is not: ENOENT both. */
	if (fd < 0)
		return complain(errno, "open", path);
	if (read(fd, start, sizeof(start)) < 0)
		return complain(errno, "read", path);
	if (!memcmp(start, xz, 5) || !memcmp(start, gzip, 2) || !memcmp(start, zstd, 4))
		flags |= MODULE_INIT_COMPRESSED_FILE;
	return syscall(SYS_finit_module, fd, parameters, flags) ? complain(errno, "load", path) : 0;
}

/* @write PATH MODE: standard input becomes a regular file, whole or not at all. */
static int builtin_write(int argc, char **argv)
{
	if (argc != 3)
		return complain(EINVAL, argv[0], "PATH MODE");
	int error = write_file(argv[1], (mode_t)strtoul(argv[2], NULL, 8));
	return error ? complain(error, "write", argv[1]) : 0;
}

/* @read PATH: to standard output, up to its end or to where it would have to wait. */
static int builtin_read(int argc, char **argv)
{
	bool reading = true;

	if (argc != 2)
		return complain(EINVAL, argv[0], "PATH");
	int fd = open(argv[1], O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int error = fd < 0 ? errno : copy(fd, STDOUT_FILENO, &reading);
	return error ? complain(error, reading ? "read" : "send", argv[1]) : 0;
}

/* @load PATH PARAMETERS FLAGS */
static int builtin_load(int argc, char **argv)
{
	if (argc != 4)
		return complain(EINVAL, argv[0], "PATH PARAMETERS FLAGS");
	return load_file(argv[1], argv[2], atoi(argv[3]));
}

/*
 * @insmod PATH MODE PARAMETERS FLAGS: @write, @load, and /proc/modules to standard output, in one round trip; the first
 * word on standard error tells which failed.
 */
static int builtin_insmod(int argc, char **argv)
{
	if (argc != 5)
		return complain(EINVAL, argv[0], "PATH MODE PARAMETERS FLAGS");
	int error = builtin_write(3, argv);
	if (!error)
		error = builtin_load(4, (char *[]){ argv[0], argv[1], argv[3], argv[4], NULL });
	return error ? error : builtin_read(2, (char *[]){ argv[0], "/proc/modules", NULL });
}

/* @delete NAME FLAGS: O_NONBLOCK (2048) among the flags makes "in use" an error instead of a wait. */
static int builtin_delete(int argc, char **argv)
{
	if (argc != 3)
		return complain(EINVAL, argv[0], "NAME FLAGS");
	prctl(PR_SET_NAME, "rmmod");
	if (syscall(SYS_delete_module, argv[1], atoi(argv[2])))
		return complain(errno, "delete", argv[1]);
	return 0;
}

static int read_whole(const char *path, char *content, size_t *used)
{
	struct stat info;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), error = 0;

	*used = 0;
	if (fd < 0)
		return errno;
	if (fstat(fd, &info))
		error = errno;
	else if (!S_ISREG(info.st_mode))
		error = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
	while (!error && *used < SNAPSHOT_FILE_MAX) {
		size_t room = SNAPSHOT_FILE_MAX - *used;
		/* Not more at once: files below /proc/sys refuse a buffer that is larger than kmalloc() can give. */
		ssize_t got = read(fd, content + *used, room < SNAPSHOT_PIECE ? room : SNAPSHOT_PIECE);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			error = errno;
		if (got <= 0)
			break;
		*used += (size_t)got;
	}
	close(fd);
	return error == EAGAIN ? 0 : error;
}

static int snapshot_file(const char *path, char *content)
{
	size_t used;
	int error = read_whole(path, content, &used);

	if (error)
		used = 0;
	printf("%zu %d %s", used, error, path);
	putchar('\0');
	fwrite(content, 1, used, stdout);
	return ferror(stdout) ? EIO : 0;
}

/*
 * @snapshot PATTERN...: the files of these names, each as "SIZE ERRNO PATH\0" and its content. What a pattern matches
 * is given if it is a regular file; a name without wildcards always gives one entry.
 */
static int builtin_snapshot(int argc, char **argv)
{
	char *content = malloc(SNAPSHOT_FILE_MAX);
	struct stat info;
	int error = content ? 0 : ENOMEM;

	for (int i = 1; !error && i < argc; i++) {
		glob_t found;

		if (!strpbrk(argv[i], "*?[")) {
			error = snapshot_file(argv[i], content);
			continue;
		}
		if (glob(argv[i], GLOB_PERIOD, NULL, &found))
			continue;
		for (size_t n = 0; !error && n < found.gl_pathc; n++) {
			if (!stat(found.gl_pathv[n], &info) && S_ISREG(info.st_mode))
				error = snapshot_file(found.gl_pathv[n], content);
		}
		globfree(&found);
	}
	if (!error && fflush(stdout))
		error = errno;
	return error ? complain(error, "snapshot", "files") : 0;
}

builtin_fn builtin_find(const char *name)
{
	static const struct {
		const char *name;
		builtin_fn run;
	} builtins[] = {
		{ "@write", builtin_write },	   { "@read", builtin_read },	  { "@load", builtin_load },
		{ "@insmod", builtin_insmod },	   { "@delete", builtin_delete }, { "@snapshot", builtin_snapshot },
	};

	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++) {
		if (!strcmp(name, builtins[i].name))
			return builtins[i].run;
	}
	return NULL;
}
