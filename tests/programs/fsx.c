// SPDX-License-Identifier: MIT
/*
 * Random operations on one file, each compared with a model in memory: the idea
 * of fsx, which has found errors in most filesystems.
 *
 *	fsx DIRECTORY SEED OPERATIONS [LONGEST]
 *
 * Prints one line and ends with 0, or says what differed and ends with 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static long longest = 200000;	/* how long the file may become */
static long length;		/* the model: the file's length ... */
static unsigned char *text;	/* ... and its bytes */
static unsigned char *buffer;
static unsigned long operation;

static void fail(const char *what, long found, long wanted)
{
	printf("operation %lu: %s: %ld (errno %d), wanted %ld\n", operation, what, found, errno, wanted);
	exit(1);
}

static void expect(const char *what, long found, long wanted)
{
	if (found != wanted)
		fail(what, found, wanted);
}

static void compare(const char *what, long at, long count)
{
	long i;

	for (i = 0; i < count; i++)
		if (buffer[i] != text[at + i])
			fail(what, at + i, text[at + i]);
}

static void do_read(int fd)
{
	long at = random() % (length + 5000);
	long count = random() % 30000;
	long wanted = at >= length ? 0 : count < length - at ? count : length - at;

	memset(buffer, 0x55, count);
	if (random() % 2) {
		expect("pread", pread(fd, buffer, count, at), wanted);
	} else {
		long half = count / 2;
		struct iovec parts[] = { { buffer, half }, { buffer + half, count - half } };

		expect("lseek", lseek(fd, at, SEEK_SET), at);
		expect("readv", readv(fd, parts, 2), wanted);
		expect("the position", lseek(fd, 0, SEEK_CUR), at + wanted);
	}
	compare("read: a byte differs at", at, wanted);
}

static void do_write(int fd, int append)
{
	long at = append ? length : random() % longest;
	long count = random() % 30000;
	long i;

	if (count > longest - at)
		count = longest - at;
	for (i = 0; i < count; i++)
		buffer[i] = random();
	expect("lseek", lseek(fd, at, SEEK_SET), at);
	if (random() % 2) {
		long half = count / 2;
		struct iovec parts[] = { { buffer, half }, { buffer + half, count - half } };

		expect("writev", writev(fd, parts, 2), count);
	} else {
		expect("write", write(fd, buffer, count), count);
	}
	if (!count)
		return;
	memcpy(text + at, buffer, count);
	if (at + count > length)
		length = at + count;
}

static void do_truncate(int fd)
{
	long now = random() % 3 ? random() % longest : random() % (length + 1);

	expect("ftruncate", ftruncate(fd, now), 0);
	if (now < length)
		memset(text + now, 0, length - now);
	length = now;
}

static void check_whole(int fd)
{
	struct stat stat;

	expect("fstat", fstat(fd, &stat), 0);
	expect("st_size", stat.st_size, length);
	if (stat.st_blocks > (length + 4095) / 4096 * 8)
		fail("st_blocks is more than the file's length", stat.st_blocks, length / 512);
	expect("pread of all", pread(fd, buffer, longest, 0), length);
	compare("all: a byte differs at", 0, length);
}

static int reopen(int fd, int *append)
{
	int truncate = random() % 8 == 0;

	close(fd);
	*append = random() % 4 == 0;
	fd = open("file", O_RDWR | (*append ? O_APPEND : 0) | (truncate ? O_TRUNC : 0));
	if (fd < 0)
		fail("open", fd, 0);
	if (truncate) {
		memset(text, 0, length);
		length = 0;
	}
	return fd;
}

/* A file is more than its name: neither of these may change the content. */
static void do_names(void)
{
	if (random() % 2) {
		expect("rename", rename("file", "other"), 0);
		expect("rename back", rename("other", "file"), 0);
	} else {
		expect("link", link("file", "other"), 0);
		expect("unlink", unlink("file"), 0);
		expect("rename", rename("other", "file"), 0);
	}
}

int main(int argc, char **argv)
{
	unsigned long operations;
	int append = 0;
	int fd;

	if (argc < 4 || chdir(argv[1]))
		return 2;
	srandom(atoi(argv[2]));
	operations = strtoul(argv[3], NULL, 10);
	if (argc > 4)
		longest = atol(argv[4]);
	text = calloc(1, longest + 1);
	buffer = malloc(longest + 30000);
	fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		fail("open", fd, 0);
	for (operation = 0; operation < operations; operation++) {
		switch (random() % 16) {
		case 0: case 1: case 2: case 3: case 4: do_read(fd); break;
		case 5: case 6: case 7: case 8: case 9: do_write(fd, append); break;
		case 10: case 11: do_truncate(fd); break;
		case 12: fd = reopen(fd, &append); break;
		case 13: do_names(); break;
		default: check_whole(fd);
		}
	}
	check_whole(fd);
	close(fd);
	expect("unlink", unlink("file"), 0);
	printf("ok: %lu operations, %ld bytes at the end\n", operations, length);
	return 0;
}
