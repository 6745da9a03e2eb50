// SPDX-License-Identifier: MIT
/*
 * poll() and mmap() on /dev/scribble, which must be empty when this begins.
 *
 *	scribble_poll DEVICE
 *
 * Prints what it found and ends with 0, or says what was wrong and ends with 1.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scribble_ioctl.h"

static void check(int holds, const char *what)
{
	if (!holds) {
		printf("failed: %s\n", what);
		exit(1);
	}
	printf("%s\n", what);
}

static int poll_now(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN | POLLOUT };

	if (poll(&poll_fd, 1, 0) < 0)
		return -1;
	return poll_fd.revents;
}

/* Return once the process sleeps, which the third field of its stat file says. */
static void wait_until_asleep(pid_t pid)
{
	char path[32], line[200];
	char state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (state != 'S') {
		FILE *file = fopen(path, "r");

		if (!file || !fgets(line, sizeof(line), file) || sscanf(line, "%*d %*s %c", &state) != 1)
			exit(1);
		fclose(file);
	}
}

/* Sleep in poll() until "act" has happened in another process. */
static int woken_by(int fd, short events, void (*act)(int other), const char *device)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	pid_t sleeper = getpid();
	pid_t pid = fork();
	int status;

	if (!pid) {
		int other = open(device, O_WRONLY);

		wait_until_asleep(sleeper);
		act(other);
		_exit(0);
	}
	if (poll(&poll_fd, 1, 20000) != 1)
		return 0;
	return waitpid(pid, &status, 0) == pid && status == 0 && (poll_fd.revents & events);
}

static void write_two(int fd)
{
	if (write(fd, "hi", 2) != 2)
		_exit(1);
}

static void clear(int fd)
{
	if (ioctl(fd, SCRIBBLE_CLEAR))
		_exit(1);
}

int main(int argc, char **argv)
{
	unsigned int size;
	char text[2];
	char *map;
	int fd, full;

	if (argc != 2)
		return 2;
	fd = open(argv[1], O_RDWR);
	check(fd >= 0 && !ioctl(fd, SCRIBBLE_GET_SIZE, &size), "opened");
	check(poll_now(fd) == POLLOUT, "an empty sheet can be written, not read");
	check(woken_by(fd, POLLIN, write_two, argv[1]), "a write wakes the reader");
	check(poll_now(fd) == (POLLIN | POLLOUT), "now it can be read too");
	check(read(fd, text, 2) == 2 && !memcmp(text, "hi", 2), "the text is there");
	check(poll_now(fd) == POLLOUT, "nothing new after the text");

	full = open(argv[1], O_RDWR | O_APPEND);
	check(!ioctl(full, SCRIBBLE_SET_LENGTH, &size), "the sheet is full");
	check(poll_now(full) == POLLIN, "no room to append");
	check(woken_by(full, POLLOUT, clear, argv[1]), "clearing wakes the writer");

	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED, "mapped");
	check(pwrite(fd, "seen", 4, 0) == 4 && !memcmp(map, "seen", 4), "the map shows a write");
	memcpy(map, "Seen", 4);
	check(pread(fd, text, 2, 0) == 2 && !memcmp(text, "Se", 2), "a read shows the map");
	check(mmap(NULL, size + 65536, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED, "no map beyond the sheet");
	return 0;
}
