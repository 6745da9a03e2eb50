// SPDX-License-Identifier: MIT
/* The kernel log, read only to learn the time of its newest record; the host reads the log itself on the console. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

/* A module that floods the log must not keep the agent from its work; what is left is read at the next task's end. */
#define RECORDS_AT_ONCE 4096

static int log_fd = -1;
static uint64_t newest;

void kmsg_open(void)
{
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

void kmsg_say(const char *text)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0; /* nobody else to tell */
	close(fd);
}

uint64_t kmsg_newest(void)
{
	char record[8192]; /* the kernel's own bound of a record in this form */

	for (int i = 0; log_fd >= 0 && i < RECORDS_AT_ONCE; i++) {
		ssize_t got = read(log_fd, record, sizeof(record) - 1);

		if (got < 0 && errno == EPIPE)
			continue; /* overwritten before it was read: the next read goes on at the oldest */
		if (got <= 0)
			break;
		/* "priority,sequence,microseconds,flags;text" */
		record[got] = '\0';
		char *field = strchr(record, ',');
		field = field ? strchr(field + 1, ',') : NULL;
		if (field)
			newest = strtoull(field + 1, NULL, 10);
	}
	return newest;
}
