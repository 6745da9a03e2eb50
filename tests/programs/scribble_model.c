// SPDX-License-Identifier: MIT
/*
 * Random calls on /dev/scribble, each compared with a model: a file that cannot
 * grow beyond its size.
 *
 *	scribble_model DEVICE SEED CALLS
 *
 * Prints one line and ends with 0, or says what differed and ends with 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scribble_ioctl.h"

static long size;	/* what the device holds */
static long length;	/* the model: what is written ... */
static unsigned char *text;	/* ... and where */
static long position;

static unsigned char *buffer;
static unsigned long calls;

static void fail(const char *what, long found, long wanted)
{
	printf("call %lu: %s: %ld (errno %d), wanted %ld\n", calls, what, found, errno, wanted);
	exit(1);
}

static void expect(const char *what, long found, long wanted)
{
	if (found != wanted)
		fail(what, found, wanted);
}

/* A result that is an error must carry the right errno too. */
static void expect_errno(const char *what, long found, int error)
{
	if (found != -1 || errno != error)
		fail(what, found, -error);
}

static long random_count(void)
{
	return random() % 4 ? random() % 300 : random() % (2 * size);
}

static void model_length(long now)
{
	if (now < length)
		memset(text + now, 0, length - now);
	length = now;
}

static void check_read(int fd, int positioned)
{
	long count = random_count();
	long at = positioned ? (long)(random() % (size + 10)) : position;
	long wanted = at < length ? (count < length - at ? count : length - at) : 0;
	long got = positioned ? pread(fd, buffer, count, at) : read(fd, buffer, count);

	expect("read", got, wanted);
	if (memcmp(buffer, text + at, wanted))
		fail("read: the bytes differ at", at, wanted);
	if (!positioned)
		position += wanted;
}

static void check_write(int fd, int append, int positioned)
{
	long count = random_count();
	long at = append ? length : positioned ? (long)(random() % (size + 10)) : position;
	long wanted = at < size ? (count < size - at ? count : size - at) : 0;
	long got;
	long i;

	for (i = 0; i < count; i++)
		buffer[i] = random();
	got = positioned ? pwrite(fd, buffer, count, at) : write(fd, buffer, count);
	if (count && !wanted) {
		expect_errno("write beyond the end", got, ENOSPC);
		return;
	}
	expect("write", got, wanted);
	memcpy(text + at, buffer, wanted);
	if (wanted && at + wanted > length)
		length = at + wanted;
	if (!positioned && wanted)
		position = at + wanted;
}

static void check_seek(int fd)
{
	static const int whences[] = { SEEK_SET, SEEK_CUR, SEEK_END };
	int whence = whences[random() % 3];
	long base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? position : length;
	long offset = random() % (size + 20) - (whence == SEEK_SET ? 10 : size / 2);
	long got = lseek(fd, offset, whence);

	if (base + offset < 0 || base + offset > size) {
		expect_errno("lseek out of the sheet", got, EINVAL);
		return;
	}
	expect("lseek", got, base + offset);
	position = base + offset;
}

static void check_ioctl(int fd)
{
	unsigned int value = random() % (size + 20);

	if (random() % 4 == 0) {
		expect("SCRIBBLE_CLEAR", ioctl(fd, SCRIBBLE_CLEAR), 0);
		model_length(0);
	} else if ((long)value > size) {
		expect_errno("SCRIBBLE_SET_LENGTH too long", ioctl(fd, SCRIBBLE_SET_LENGTH, &value), ENOSPC);
	} else {
		expect("SCRIBBLE_SET_LENGTH", ioctl(fd, SCRIBBLE_SET_LENGTH, &value), 0);
		model_length(value);
	}
	expect("SCRIBBLE_GET_LENGTH", ioctl(fd, SCRIBBLE_GET_LENGTH, &value), 0);
	expect("the length", value, length);
}

static int reopen(const char *path, int fd, int *append)
{
	int truncate = random() % 8 == 0;

	close(fd);
	*append = random() % 3 == 0;
	fd = open(path, O_RDWR | (*append ? O_APPEND : 0) | (truncate ? O_TRUNC : 0));
	if (fd < 0)
		fail("open", fd, 0);
	if (truncate)
		model_length(0);
	position = 0;
	return fd;
}

static void check_refusals(const char *path)
{
	int fd = open(path, O_RDONLY);

	expect_errno("ioctl of an unknown number", ioctl(fd, _IO(SCRIBBLE_MAGIC, 99)), ENOTTY);
	expect_errno("SCRIBBLE_CLEAR when read-only", ioctl(fd, SCRIBBLE_CLEAR), EBADF);
	expect_errno("an address that is not ours", ioctl(fd, SCRIBBLE_GET_LENGTH, (void *)-4096), EFAULT);
	close(fd);
	fd = open(path, O_RDWR);
	expect("write", write(fd, "x", 1), 1);
	expect_errno("write from a bad address", write(fd, (void *)-4096, 1), EFAULT);
	lseek(fd, 0, SEEK_SET);
	expect_errno("read to a bad address", read(fd, (void *)-4096, 1), EFAULT);
	expect("the position after that", lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
}

int main(int argc, char **argv)
{
	unsigned int holds;
	unsigned long wanted;
	int append = 0;
	int fd;

	if (argc != 4)
		return 2;
	srandom(atoi(argv[2]));
	wanted = strtoul(argv[3], NULL, 10);
	check_refusals(argv[1]);
	fd = open(argv[1], O_RDWR | O_TRUNC);
	if (fd < 0 || ioctl(fd, SCRIBBLE_GET_SIZE, &holds))
		fail("open", fd, 0);
	size = holds;
	text = calloc(1, size + 20);
	buffer = malloc(2 * size);
	for (calls = 0; calls < wanted; calls++) {
		switch (random() % 8) {
		case 0: case 1: check_read(fd, 0); break;
		case 2: check_read(fd, 1); break;
		case 3: case 4: check_write(fd, append, 0); break;
		case 5: check_write(fd, append, 1); break;
		case 6: check_seek(fd); break;
		default:
			if (random() % 3)
				check_ioctl(fd);
			else
				fd = reopen(argv[1], fd, &append);
		}
	}
	close(fd);
	printf("ok: %lu calls on %ld bytes\n", calls, size);
	return 0;
}
