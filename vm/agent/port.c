// SPDX-License-Identifier: MIT
/* The connection to the host: a virtio-serial port, or any stream socket. Never waits. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

#define QUEUE_SIZE (192u << 10)
#define READS_AT_ONCE 64 /* a read of a virtio-serial port returns at most a page */

static int port = -1;
static bool is_socket; /* its end is the end of the agent; a virtio-serial port may get another host */
static bool host_away;

static uint8_t input[sizeof(struct frame) + FRAME_MAX];
static size_t input_used;
static uint8_t queue[QUEUE_SIZE];
static size_t queue_head, queue_tail;

void port_open(const char *path, int fd)
{
	port = path ? open(path, O_RDWR | O_CLOEXEC) : fd;
	is_socket = !path;
	if (port < 0) {
		perror(path);
		exit(1);
	}
	fcntl(port, F_SETFD, FD_CLOEXEC);
	fcntl(port, F_SETFL, fcntl(port, F_GETFL) | O_NONBLOCK);
	fcntl(port, F_SETOWN, getpid());
}

struct pollfd port_poll(void)
{
	struct pollfd entry = { .fd = host_away ? -1 : port, .events = POLLIN };

	if (queue_head != queue_tail)
		entry.events |= POLLOUT;
	return entry;
}

static void set_async(bool on)
{
	int flags = fcntl(port, F_GETFL);

	fcntl(port, F_SETFL, on ? flags | O_ASYNC : flags & ~O_ASYNC);
}

/*
 * A port without a host reports POLLHUP without end. Instead of asking it again and again, the agent asks for the
 * SIGIO that the driver sends when a host comes.
 */
static void host_left(void)
{
	if (is_socket) {
		tasks_drop_all();
		exit(0);
	}
	set_async(true);
	host_away = true;
	struct pollfd again = { .fd = port, .events = POLLIN };
	if (poll(&again, 1, 0) >= 0 && !(again.revents & POLLHUP))
		port_reconnected();
}

void port_reconnected(void)
{
	struct pollfd state = { .fd = port, .events = POLLIN };

	if (!host_away || poll(&state, 1, 0) < 0 || (state.revents & POLLHUP))
		return;
	host_away = false;
	set_async(false);
}

static uint16_t header_check(const struct frame *header)
{
	uint16_t words[sizeof(*header) / 2], sum = CHECK_SEED;

	memcpy(words, header, sizeof(words));
	for (size_t i = 0; i + 1 < sizeof(words) / 2; i++)
		sum ^= words[i];
	return sum;
}

static bool header_valid(const struct frame *header)
{
	return header->magic == FRAME_MAGIC && header->length <= FRAME_MAX && header->check == header_check(header);
}

/* Hand on every whole frame; bytes that are no frame are skipped up to the next magic. */
static void parse_input(void)
{
	size_t at = 0;

	while (input_used - at >= sizeof(struct frame)) {
		struct frame header;

		memcpy(&header, input + at, sizeof(header));
		if (!header_valid(&header)) {
			const uint8_t *next = memchr(input + at + 1, FRAME_MAGIC & 0xff, input_used - at - 1);
			at = next ? (size_t)(next - input) : input_used;
			continue;
		}
		if (input_used - at < sizeof(header) + header.length)
			break;
		frame_received(header.task, header.type, input + at + sizeof(header), header.length);
		at += sizeof(header) + header.length;
	}
	memmove(input, input + at, input_used - at);
	input_used -= at;
}

void port_events(short revents)
{
	if (!(revents & (POLLIN | POLLHUP | POLLERR)))
		return;
	for (int i = 0; i < READS_AT_ONCE; i++) {
		ssize_t got = read(port, input + input_used, sizeof(input) - input_used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got <= 0) {
			host_left();
			break;
		}
		input_used += (size_t)got;
		if (input_used == sizeof(input))
			parse_input();
	}
	parse_input();
}

void port_flush(void)
{
	while (!host_away && queue_head != queue_tail) {
		ssize_t put = write(port, queue + queue_head, queue_tail - queue_head);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			if (put < 0 && errno == EPIPE)
				host_left();
			break;
		}
		queue_head += (size_t)put;
	}
	if (queue_head == queue_tail)
		queue_head = queue_tail = 0;
}

void port_forget(void)
{
	queue_head = queue_tail = 0;
}

bool port_room(size_t payload)
{
	size_t wanted = sizeof(struct frame) + payload;

	if (queue_tail + wanted <= sizeof(queue))
		return true;
	memmove(queue, queue + queue_head, queue_tail - queue_head);
	queue_tail -= queue_head;
	queue_head = 0;
	return queue_tail + wanted <= sizeof(queue);
}

void *port_reserve(void)
{
	return queue + queue_tail + sizeof(struct frame);
}

void port_commit(uint32_t task, enum frame_type type, size_t length)
{
	struct frame header = { .magic = FRAME_MAGIC, .task = task, .length = (uint32_t)length, .type = (uint8_t)type };

	header.check = header_check(&header);
	memcpy(queue + queue_tail, &header, sizeof(header));
	queue_tail += sizeof(header) + length;
}

void port_send(uint32_t task, enum frame_type type, const void *payload, size_t length)
{
	if (length)
		memcpy(port_reserve(), payload, length);
	port_commit(task, type, length);
}
