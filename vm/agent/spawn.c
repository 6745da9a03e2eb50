// SPDX-License-Identifier: MIT
/* From a START frame to a running child. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "spawn.h"

#define WORDS_MAX 4096
#define RESULT_FD 3
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Split the strings behind a struct start: cwd, argv, environment. */
static int parse_request(const uint8_t *payload, size_t length, struct request *request)
{
	struct start start;
	const char *text = (const char *)payload + sizeof(start), *end = (const char *)payload + length;

	if (length < sizeof(start))
		return EINVAL;
	memcpy(&start, payload, sizeof(start));
	if (!start.argc || start.argc > WORDS_MAX || start.envc > WORDS_MAX)
		return E2BIG;
	request->limit_ms = start.limit_ms;
	for (size_t i = 0; i < 1 + start.argc + start.envc; i++) {
		const char *stop = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

		if (!stop)
			return EINVAL;
		if (i == 0)
			request->cwd = text;
		else if (i <= start.argc)
			request->argv[i - 1] = (char *)text;
		else
			request->env[i - 1 - start.argc] = (char *)text;
		text = stop + 1;
	}
	request->argc = start.argc;
	request->envc = start.envc;
	request->argv[start.argc] = NULL;
	return 0;
}

/* Tell the agent the errno, by a way that neither the exit status nor standard error can blur. */
static void fail(int error)
{
	if (write(RESULT_FD, &error, sizeof(error)) != sizeof(error))
		_exit(125);
}

static void ordinary_process(void)
{
	sigset_t none;
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "0", 1) < 0)
			errno = 0; /* a preference, nothing depends on it */
		close(fd);
	}
	setsid();
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Keep the four pipes as 0 to 3 and nothing else: a child that never ends must not hold another task's pipes open. */
static void take_pipes(const int child_ends[4])
{
	int safe[4];

	for (int i = 0; i < 4; i++)
		safe[i] = fcntl(child_ends[i], F_DUPFD, 10);
	for (int i = 0; i < 4; i++)
		dup2(safe[i], i);
	fcntl(RESULT_FD, F_SETFD, FD_CLOEXEC);
	if (syscall(SYS_close_range, RESULT_FD + 1, ~0u, 0) < 0) {
		for (int fd = RESULT_FD + 1; fd < 10 + 6 * TASKS; fd++)
			close(fd);
	}
}

static void child(const struct request *request, const int child_ends[4])
{
	take_pipes(child_ends);
	ordinary_process();
	for (size_t i = 0; i < request->envc; i++)
		putenv(request->env[i]);
	if (chdir(request->cwd)) {
		fail(complain(errno, "chdir", request->cwd));
		_exit(126);
	}
	builtin_fn builtin = builtin_find(request->argv[0]);
	if (builtin) {
		int error = builtin((int)request->argc, request->argv);
		if (error)
			fail(error);
		_exit(error ? 1 : 0);
	}
	execvp(request->argv[0], request->argv);
	int error = complain(errno, "exec", request->argv[0]);
	fail(error);
	_exit(error == ENOENT ? 127 : 126);
}

static void close_pair(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

int spawn(const uint8_t *payload, size_t length, struct spawned *spawned)
{
	static char *argv[WORDS_MAX + 1], *env[WORDS_MAX];
	struct request request = { .argv = argv, .env = env };
	int pipes[4][2], error = parse_request(payload, length, &request);

	if (error)
		return error;
	for (int i = 0; i < 4; i++) {
		if (pipe2(pipes[i], O_CLOEXEC)) {
			error = errno;
			while (i--)
				close_pair(pipes[i]);
			return error;
		}
	}
	spawned->limit_ms = request.limit_ms;
	spawned->pid = fork();
	if (spawned->pid == 0)
		child(&request, (int[]){ pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][1] });
	error = spawned->pid < 0 ? errno : 0;
	for (int i = 0; i < 4; i++) {
		int ours = pipes[i][i == 0];

		close(pipes[i][i != 0]);
		fcntl(ours, F_SETFL, O_NONBLOCK);
		spawned->pipes[i] = ours;
		if (error)
			close(ours);
	}
	return error;
}
