/* SPDX-License-Identifier: MIT */
#ifndef KMODLAB_AGENT_H
#define KMODLAB_AGENT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

/* port.c: the connection to the host */
void port_open(const char *path, int fd);
struct pollfd port_poll(void);
void port_events(short revents);	 /* reads frames and calls frame_received for each */
void port_reconnected(void);		 /* SIGIO came: look again whether a host is there */
void port_flush(void);			 /* writes what it can without waiting */
void port_forget(void);			 /* drops what has not been sent yet */
bool port_room(size_t payload);		 /* whether a frame of this size can be queued now */
void *port_reserve(void);		 /* where to put the payload of the next frame */
void port_commit(uint32_t task, enum frame_type type, size_t length);
void port_send(uint32_t task, enum frame_type type, const void *payload, size_t length);

/* main.c */
void frame_received(uint32_t task, unsigned int type, const uint8_t *payload, size_t length);
uint64_t now_ms(void);

/* kmsg.c: time (microseconds) of the kernel log's newest record, 0 if there is none */
void kmsg_open(void);
void kmsg_say(const char *text);
uint64_t kmsg_newest(void);

/* task.c */
#define TASKS 128
#define TASK_POLLS 3
void tasks_start(uint32_t id, const uint8_t *payload, size_t length);
void tasks_stdin(uint32_t id, const uint8_t *data, size_t length);
void tasks_stdin_eof(uint32_t id);
void tasks_signal(uint32_t id, int number);
void tasks_drop_all(void);
void tasks_reap(void);
size_t tasks_poll(struct pollfd *polls);	/* fills in TASK_POLLS for each slot in use, returns how many */
void tasks_events(const struct pollfd *polls, size_t count);
void tasks_deadlines(void);
int tasks_wait_ms(void);			/* until the next deadline, -1: none */

/* builtin.c: runs in the forked child; returns 0 or an errno, having explained it on standard error */
typedef int (*builtin_fn)(int argc, char **argv);
builtin_fn builtin_find(const char *name);
int complain(int error, const char *what, const char *object);

/* identity.c */
void identity_received(const uint8_t *payload, size_t length);

#endif
