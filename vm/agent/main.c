// SPDX-License-Identifier: MIT
/*
 * kmodlab's agent in the guest: does what the host asks over a virtio-serial port.
 *
 * It is one thread around poll(2) that never waits for anything else and never does anything for a task itself:
 * every task runs in a forked child, so a task that sits in the kernel for ever, or that an oops kills, leaves the
 * agent as it was. Only a clone's identity it sets by itself: that is before any task, and a child would take longer.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"

#ifndef SCHED_RESET_ON_FORK
#define SCHED_RESET_ON_FORK 0x40000000
#endif
#define OWN_POLLS 2

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool in_guest;

static void welcome(const uint8_t nonce[NONCE_SIZE])
{
	uint8_t answer[NONCE_SIZE + 4];
	uint32_t version = PROTOCOL_VERSION;

	memcpy(answer, nonce, NONCE_SIZE);
	memcpy(answer + NONCE_SIZE, &version, sizeof(version));
	port_send(0, FRAME_WELCOME, answer, sizeof(answer));
}

static void hello(const uint8_t *nonce, size_t length)
{
	if (length != NONCE_SIZE)
		return;
	tasks_drop_all();
	port_forget();
	welcome(nonce);
}

void frame_received(uint32_t task, unsigned int type, const uint8_t *payload, size_t length)
{
	uint32_t number = 0;

	switch (type) {
	case FRAME_HELLO:
		hello(payload, length);
		break;
	case FRAME_START:
		tasks_start(task, payload, length);
		break;
	case FRAME_STDIN:
		tasks_stdin(task, payload, length);
		break;
	case FRAME_STDIN_EOF:
		tasks_stdin_eof(task);
		break;
	case FRAME_SIGNAL:
		if (length != sizeof(number))
			break;
		memcpy(&number, payload, sizeof(number));
		tasks_signal(task, (int)number);
		break;
	case FRAME_IDENTITY:
		/* Beside a test, the clock and the names are those of somebody's computer. */
		if (in_guest)
			identity_received(payload, length);
		break;
	case FRAME_PING:
		if (length <= 64 && port_room(length))
			port_send(task, FRAME_PONG, payload, length);
		break;
	}
}

/* Be there when the guest is out of memory or busy: children get the ordinary values back. */
static void become_important(void)
{
	struct sched_param ordinary = { .sched_priority = 0 };
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "-1000", 5) < 0)
			errno = 0; /* a preference, nothing depends on it */
		close(fd);
	}
	/*
	 * Not a real-time class: no idle processor takes such a task over from one on which a module spins. The C
	 * library's own sched_setscheduler() only fails.
	 */
	syscall(SYS_sched_setscheduler, 0, SCHED_OTHER | SCHED_RESET_ON_FORK, &ordinary);
	setpriority(PRIO_PROCESS, 0, -20);
}

static void default_environment(void)
{
	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("SHELL", "/bin/bash", 1);
	setenv("LANG", "C.UTF-8", 1);
	setenv("TERM", "dumb", 1);
}

static int signals_open(void)
{
	sigset_t mask;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGIO);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	return signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void signals_events(int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGIO)
			port_reconnected();
	}
	tasks_reap();
}

int main(int argc, char **argv)
{
	static struct pollfd polls[OWN_POLLS + TASKS * TASK_POLLS];
	bool socket = argc == 3 && !strcmp(argv[1], "--fd");
	int signals = signals_open();

	if (signals < 0 || argc > 3 || (argc == 3 && !socket)) {
		fprintf(stderr, "usage: agent [PORT | --fd NUMBER]\n");
		return 2;
	}
	default_environment();
	port_open(socket ? NULL : argc == 2 ? argv[1] : "/dev/vport0p1", socket ? atoi(argv[2]) : -1);
	/* Should an earlier agent have died, its host learns that the tasks are gone. */
	welcome((uint8_t[NONCE_SIZE]){ 0 });
	in_guest = !socket;
	if (in_guest) {
		prctl(PR_SET_NAME, "kmodlab-agent");
		become_important();
		kmsg_say("<6>kmodlab-agent: ready\n");
	}
	kmsg_open();
	for (;;) {
		size_t used = tasks_poll(polls + OWN_POLLS);

		polls[0] = port_poll();
		polls[1] = (struct pollfd){ .fd = signals, .events = POLLIN };
		if (poll(polls, OWN_POLLS + used, tasks_wait_ms()) < 0)
			continue;
		/* Tasks first: what the port brings may put another task into a slot that was polled for the last. */
		tasks_events(polls + OWN_POLLS, used);
		if (polls[1].revents)
			signals_events(signals);
		port_events(polls[0].revents);
		tasks_deadlines();
		port_flush();
	}
}
