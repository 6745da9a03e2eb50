// SPDX-License-Identifier: MIT
/*
 * calls: makes system calls as its arguments say, one an argument, and prints
 * what each returned: "RESULT ERRNO DATA", DATA in hexadecimal, "-" if none.
 * With it a check does to a device what a program would, and also what only a
 * hostile or broken program would: buffers that are not there.
 *
 *   open PATH r|w|rw[a][n][t]   append, nonblocking, truncate
 *   use N                       the Nth file opened, from 0
 *   close
 *   read COUNT | read-bad COUNT | read-part COUNT GOOD
 *   write HEX | write-bad COUNT | write-part COUNT GOOD
 *   seek OFFSET set|cur|end
 *   ioctl NUMBER VALUE          with a pointer to an int; DATA is the int after
 *   ioctl-bad NUMBER            with a pointer that leads nowhere
 *   ioctl-arg NUMBER VALUE      with the value itself
 *   poll r|w|rw MILLISECONDS    DATA is the events
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define ROOM (64 * PAGE)

static int files[64], opened, fd = -1;
/* ROOM bytes that may be touched, and behind them a page that may not. */
static unsigned char *room;

static void say(long result, const unsigned char *data, long length)
{
	int error = result < 0 ? errno : 0;

	printf("%ld %d ", result, error);
	if (length <= 0)
		putchar('-');
	for (long i = 0; i < length; i++)
		printf("%02x", data[i]);
	putchar('\n');
	fflush(stdout);
}

static int flags_of(const char *text)
{
	int flags = strstr(text, "rw") ? O_RDWR : *text == 'w' ? O_WRONLY : O_RDONLY;

	flags |= strchr(text, 'a') ? O_APPEND : 0;
	flags |= strchr(text, 'n') ? O_NONBLOCK : 0;
	return flags | (strchr(text, 't') ? O_TRUNC : 0);
}

static long unhex(const char *text, unsigned char *out)
{
	long count = 0;
	unsigned int byte;

	while (count < ROOM && sscanf(text + 2 * count, "%2x", &byte) == 1)
		out[count++] = byte;
	return count;
}

static void move(const char *op, long count, long good)
{
	unsigned char *nowhere = room + ROOM, *at = room;
	long result;

	if (strstr(op, "-bad"))
		at = nowhere;
	else if (strstr(op, "-part"))
		at = nowhere - good;
	else if (count > ROOM)
		count = ROOM;
	if (op[0] == 'r') {
		if (at == room)
			memset(room, 0xee, ROOM);
		result = read(fd, at, count);
		say(result, at, at == room ? result : at == nowhere ? 0 : result);
	} else {
		if (strstr(op, "-part"))
			memset(at, 'p', good);
		say(write(fd, at, count), NULL, 0);
	}
}

static void ask(const char *op, unsigned long number, long value)
{
	int number_there = value;
	long result;

	if (strstr(op, "-bad"))
		result = ioctl(fd, number, room + ROOM);
	else if (strstr(op, "-arg"))
		result = ioctl(fd, number, value);
	else
		result = ioctl(fd, number, &number_there);
	say(result, (unsigned char *)&number_there, strcmp(op, "ioctl") ? 0 : sizeof(number_there));
}

static void do_one(char *line)
{
	char *op = strtok(line, " "), *first = strtok(NULL, " "), *second = strtok(NULL, " ");
	struct pollfd wanted = { .fd = fd };

	if (!op)
		exit(2);
	first = first ? first : "";
	second = second ? second : "";
	if (!strcmp(op, "open")) {
		fd = open(first, flags_of(second));
		if (fd >= 0 && opened < 64)
			files[opened++] = fd;
		say(fd < 0 ? -1 : 0, NULL, 0);
	} else if (!strcmp(op, "use")) {
		fd = files[atoi(first) & 63];
		say(0, NULL, 0);
	} else if (!strcmp(op, "close")) {
		say(close(fd), NULL, 0);
	} else if (!strcmp(op, "write")) {
		long count = unhex(first, room);

		say(write(fd, room, count), NULL, 0);
	} else if (!strncmp(op, "read", 4) || !strncmp(op, "write-", 6)) {
		move(op, atol(first), atol(second));
	} else if (!strcmp(op, "seek")) {
		int whence = *second == 'c' ? SEEK_CUR : *second == 'e' ? SEEK_END : SEEK_SET;

		say(lseek(fd, atol(first), whence), NULL, 0);
	} else if (!strncmp(op, "ioctl", 5)) {
		ask(op, strtoul(first, NULL, 0), atol(second));
	} else if (!strcmp(op, "poll")) {
		unsigned char events;
		int result;

		wanted.events = (strchr(first, 'r') ? POLLIN : 0) | (strchr(first, 'w') ? POLLOUT : 0);
		result = poll(&wanted, 1, atoi(second));
		events = wanted.revents;
		say(result, &events, 1);
	} else {
		exit(2);
	}
}

int main(int argc, char **argv)
{
	room = mmap(NULL, ROOM + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED || mprotect(room + ROOM, PAGE, PROT_NONE))
		return 2;
	for (int i = 1; i < argc; i++)
		do_one(argv[i]);
	return 0;
}
