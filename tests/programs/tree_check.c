// SPDX-License-Identifier: MIT
/*
 * What POSIX says of names, links, times and a full filesystem, asked of an
 * empty filesystem of limited size.
 *
 *	tree_check DIRECTORY
 *
 * Prints "ok" and ends with 0, or says which call was wrong and ends with 1.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* musl has no wrapper for this call. */
#define NOREPLACE 1
#define EXCHANGE 2
#define RENAMEAT2(from, to, flags) syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags)

#define OK(call) check((call) >= 0, #call, __LINE__)
#define CHECK(condition) check((condition), #condition, __LINE__)
#define REFUSED(call, error) check((errno = 0, (call) < 0 && errno == (error)), #call, __LINE__)

static void check(int holds, const char *what, int line)
{
	if (holds)
		return;
	printf("line %d: %s (%s)\n", line, what, strerror(errno));
	exit(1);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0640);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	OK(close(fd));
}

static int holds(const char *path, const char *text)
{
	char buffer[100] = "";
	int fd = open(path, O_RDONLY);

	OK(fd);
	OK(read(fd, buffer, sizeof(buffer) - 1));
	OK(close(fd));
	return !strcmp(buffer, text);
}

static struct stat of(const char *path)
{
	struct stat stat;

	OK(lstat(path, &stat));
	return stat;
}

static long free_blocks(void)
{
	struct statvfs stat;

	OK(statvfs(".", &stat));
	CHECK(stat.f_bavail == stat.f_bfree && stat.f_bfree <= stat.f_blocks);
	return stat.f_bfree;
}

static int later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

/* The clock of file times moves in ticks: begin after the one that is on the file. */
static struct timespec next_tick(const char *path)
{
	struct timespec now, last = of(path).st_ctim;

	do
		OK(clock_gettime(CLOCK_REALTIME_COARSE, &now));
	while (!later(now, last));
	return now;
}

#define CHANGES(time, path, call) do {				\
	struct timespec before = next_tick(path);		\
	call;							\
	CHECK(!later(before, of(path).time));			\
} while (0)

static void check_directories(void)
{
	int i;

	CHECK(of(".").st_nlink == 2);
	OK(mkdir("a", 0750));
	CHECK(of("a").st_nlink == 2 && (of("a").st_mode & 07777) == 0750 && of(".").st_nlink == 3);
	OK(mkdir("a/b", 0755));
	CHECK(of("a").st_nlink == 3);
	REFUSED(mkdir("a", 0755), EEXIST);
	REFUSED(rmdir("a"), ENOTEMPTY);
	REFUSED(unlink("a"), EISDIR);
	REFUSED(rmdir("none"), ENOENT);
	REFUSED(rename("a", "a/b/c"), EINVAL);
	OK(mkdir("c", 0755));
	OK(rename("a/b", "c/b"));
	CHECK(of("a").st_nlink == 2 && of("c").st_nlink == 3);
	REFUSED(rename("a", "c"), ENOTEMPTY);
	OK(rename("c", "a"));		/* over an empty directory */
	CHECK(of("a").st_nlink == 3 && of(".").st_nlink == 3);
	OK(rmdir("a/b"));
	OK(rmdir("a"));
	CHECK(of(".").st_nlink == 2);
	/* Deeper than any recursion in the kernel would survive. */
	for (i = 0; i < 200; i++) {
		OK(mkdir("deep", 0755));
		OK(chdir("deep"));
	}
	for (i = 0; i < 200; i++) {
		OK(chdir(".."));
		OK(rmdir("deep"));
	}
}

static void check_files(void)
{
	int fd;

	put("one", "first");
	put("two", "second");
	REFUSED(open("one", O_CREAT | O_EXCL | O_WRONLY, 0644), EEXIST);
	REFUSED(open("one/x", O_RDONLY), ENOTDIR);
	OK(link("one", "three"));
	CHECK(of("one").st_nlink == 2 && of("one").st_ino == of("three").st_ino);
	OK(rename("two", "one"));	/* over a file */
	CHECK(holds("one", "second") && holds("three", "first") && of("three").st_nlink == 1);
	REFUSED(open("two", O_RDONLY), ENOENT);
	REFUSED(RENAMEAT2("one", "three", NOREPLACE), EEXIST);
	OK(RENAMEAT2("one", "three", EXCHANGE));
	CHECK(holds("one", "first") && holds("three", "second"));

	fd = open("one", O_RDWR | O_APPEND);
	OK(unlink("one"));		/* open files live on without a name */
	CHECK(write(fd, "!", 1) == 1 && lseek(fd, 0, SEEK_CUR) == 6);
	OK(close(fd));
	OK(chmod("three", 04711));
	CHECK((of("three").st_mode & 07777) == 04711);
	OK(truncate("three", 1L << 40));	/* a hole costs nothing */
	CHECK(of("three").st_size == 1L << 40 && of("three").st_blocks == 8);
	OK(truncate("three", 3));
	CHECK(holds("three", "sec"));
	REFUSED(truncate("three", -1), EINVAL);
	OK(unlink("three"));
}

static void check_times(void)
{
	int fd;

	put("file", "text");
	fd = open("file", O_RDWR);
	CHANGES(st_mtim, "file", CHECK(pwrite(fd, "t", 1, 0) == 1));
	CHANGES(st_mtim, "file", OK(ftruncate(fd, 1)));
	CHANGES(st_ctim, "file", OK(fchmod(fd, 0600)));
	CHANGES(st_ctim, "file", OK(link("file", "again")));
	CHANGES(st_ctim, "file", OK(unlink("again")));
	CHANGES(st_mtim, ".", OK(mkdir("d", 0755)));
	CHANGES(st_mtim, "d", put("d/other", ""));
	CHANGES(st_mtim, "d", OK(rename("d/other", "other")));
	CHANGES(st_mtim, ".", OK(rmdir("d")));
	CHANGES(st_mtim, ".", OK(unlink("other")));
	OK(close(fd));
	OK(unlink("file"));
}

static void check_listing(void)
{
	int seen = 0, i;
	struct dirent *entry;
	char name[300];
	DIR *dir;

	memset(name, 'n', sizeof(name));
	name[256] = 0;
	REFUSED(mkdir(name, 0755), ENAMETOOLONG);
	name[255] = 0;
	OK(mkdir(name, 0755));
	OK(rmdir(name));
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "entry%d", i);
		put(name, "");
	}
	dir = opendir(".");
	CHECK(dir != NULL);
	while ((entry = readdir(dir)))
		if (sscanf(entry->d_name, "entry%d", &i) == 1) {
			seen++;
			OK(unlink(entry->d_name));	/* while we list */
		}
	OK(closedir(dir));
	CHECK(seen == 100);
}

static void check_full(void)
{
	long before = free_blocks();
	static char block[65536];
	long written = 0, got;
	int fd = open("big", O_WRONLY | O_CREAT, 0644);

	while ((got = write(fd, block, sizeof(block))) > 0)
		written += got;
	CHECK(got < 0 && errno == ENOSPC && free_blocks() == 0);
	CHECK(of("big").st_size == written && of("big").st_blocks * 512L == written);
	REFUSED(mkdir("more", 0755), ENOSPC);
	REFUSED(open("more", O_CREAT | O_WRONLY, 0644), ENOSPC);
	OK(link("big", "again"));	/* a name alone costs nothing */
	CHECK(pwrite(fd, "x", 1, 0) == 1);	/* nor does writing what is there */
	OK(ftruncate(fd, 4096));
	CHECK(free_blocks() == before - 2);
	OK(unlink("again"));
	OK(unlink("big"));
	CHECK(free_blocks() == before - 2);	/* still open */
	OK(close(fd));
	CHECK(free_blocks() == before);
}

int main(int argc, char **argv)
{
	long before;

	if (argc != 2 || chdir(argv[1]))
		return 2;
	umask(0);
	before = free_blocks();
	check_directories();
	check_files();
	check_times();
	check_listing();
	check_full();
	CHECK(free_blocks() == before);
	printf("ok\n");
	return 0;
}
