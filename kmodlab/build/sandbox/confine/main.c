// SPDX-License-Identifier: MIT
/*
 * Runs a command that may open nothing of the host but what is named here, and ends all that it leaves behind.
 *
 *     confine owner=PID report=FD [read=PATH]... [device=PATH]... [open=1] [user=UID] [newest=VERSION]
 *             memory=BYTES processes=N file=BYTES cpu=SECONDS space=BYTES -- PROGRAM ARGUMENT...
 *
 * The folder it starts in is the only one that the command may write. The command's two outputs go to standard
 * output. The report is told one line: "exit STATUS", "signal NUMBER", "over space" or "failed STEP: REASON".
 *
 * Three processes. The first is what the owner knows and may kill; it dies with its owner. It holds one end of a pipe,
 * the leash, whose other end the second watches: that one is the parent of all orphans below it, and ends only when
 * nothing of the job lives. The third becomes the command.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"

#define TICK_MS 40

static int failures = -1; /* takes "STEP: REASON" of what happens before the command runs */

void give_up(const char *step)
{
	char line[256];
	int length = snprintf(line, sizeof(line), "failed %s: %s\n", step, strerror(errno));

	if (write(failures, line, (size_t)length) < 0)
		_exit(126);
	_exit(125);
}

static long number(const char *text)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 0) {
		errno = EINVAL;
		give_up(text);
	}
	return value;
}

static void add_path(const char **list, size_t *count, const char *path)
{
	if (*count == MOST_PATHS) {
		errno = E2BIG;
		give_up(path);
	}
	list[(*count)++] = path;
}

static void read_option(struct plan *plan, const char *word)
{
	const char *value = strchr(word, '=');
	size_t length = value ? (size_t)(value++ - word) : 0;

#define IS(name) (length == sizeof(name) - 1 && !strncmp(word, name, length))
	if (IS("read"))
		add_path(plan->read, &plan->reads, value);
	else if (IS("device"))
		add_path(plan->device, &plan->devices, value);
	else if (IS("owner"))
		plan->owner = number(value);
	else if (IS("report"))
		plan->report = (int)number(value);
	else if (IS("open"))
		plan->open = number(value) != 0;
	else if (IS("user"))
		plan->user = number(value);
	else if (IS("newest"))
		plan->newest = number(value);
	else if (IS("memory"))
		plan->memory = (uint64_t)number(value);
	else if (IS("processes"))
		plan->processes = (uint64_t)number(value);
	else if (IS("file"))
		plan->file = (uint64_t)number(value);
	else if (IS("cpu"))
		plan->cpu = (uint64_t)number(value);
	else if (IS("space"))
		plan->space = (uint64_t)number(value);
	else {
		errno = EINVAL;
		give_up(word);
	}
#undef IS
}

/* Die with the parent. It may have died before this was said; then it is another by now. */
static void die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		give_up("prctl");
	if (getppid() != parent) {
		errno = ESRCH;
		give_up("owner");
	}
}

static void to_null(int target)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, target) < 0)
		give_up("/dev/null");
	close(null);
}

static _Noreturn void become_the_command(const struct plan *plan, pid_t supervisor)
{
	int version = 0;

	die_with(supervisor);
	/* A group of its own: what it sends to its group must reach nobody else. */
	if (setsid() < 0)
		give_up("setsid");
	to_null(STDIN_FILENO);
	if (dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		give_up("dup2");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		give_up("no_new_privs");
	set_limits(plan);
	if (!plan->open)
		version = shut_files(plan);
	if (plan->user >= 0) {
		/* What can be opened with that right is Landlock's to say, and has been said; otherwise all can be read. */
		take_user(plan->user, plan->open ? CAP_DAC_READ_SEARCH : CAP_DAC_OVERRIDE);
		die_with(supervisor); /* a change of user makes the kernel forget it */
	}
	if (!plan->open)
		shut_calls(version >= 6, plan->user >= 0);
	execvp(plan->argv[0], plan->argv);
	/* As a shell would put it: this is the job's own fault. */
	dprintf(STDOUT_FILENO, "%s: %s\n", plan->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Wait for the command's end, the owner's, or too much on the disk. Returns what is to be reported. */
static const char *watch(const struct plan *plan, pid_t command, int leash, int folder, int *status)
{
	struct pollfd fds[2] = { { .fd = leash, .events = POLLIN }, { .events = POLLIN } };

	/* Older kernels have none (-1, which poll passes over); its end is then seen at the next tick. */
	fds[1].fd = (int)syscall(SYS_pidfd_open, command, 0);
	for (;;) {
		pid_t ended;

		if (poll(fds, 2, TICK_MS) < 0 && errno != EINTR)
			give_up("poll");
		if (fds[0].revents)
			return "left";
		while ((ended = waitpid(-1, status, WNOHANG)) > 0)
			if (ended == command)
				return NULL;
		if (too_much(folder, plan->space))
			return "over space";
	}
}

/*
 * All that lives is a descendant of this process. It kills those that are its own children, whose numbers nobody else
 * can be given until it has waited for them; then their children become its own, and so on until there are none.
 */
static void end_all(void)
{
	pid_t ended;

	for (;;) {
		kill_children();
		while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (ended < 0 && errno == ECHILD)
			return;
		poll(NULL, 0, 1);
	}
}

static _Noreturn void supervise(const struct plan *plan, int leash)
{
	const char *ended;
	int before_exec[2], status = 0, folder;
	pid_t self = getpid(), command;
	char failed[256];
	ssize_t length;

	if (setsid() < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1))
		give_up("supervise");
	folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || pipe2(before_exec, O_CLOEXEC))
		give_up("start");
	if (!kill_children()) /* there are none: can they be found? */
		give_up("/proc");
	command = fork();
	if (command < 0)
		give_up("fork");
	if (!command) {
		failures = before_exec[1];
		become_the_command(plan, self);
	}
	close(before_exec[1]);
	/* The outputs end when the last one of the job does. */
	to_null(STDOUT_FILENO);
	to_null(STDERR_FILENO);
	length = read(before_exec[0], failed, sizeof(failed));
	if (length > 0) {
		if (write(plan->report, failed, (size_t)length) != length)
			_exit(126);
		_exit(125);
	}
	ended = watch(plan, command, leash, folder, &status);
	end_all();
	if (!ended && too_much(folder, plan->space))
		ended = "over space";
	if (ended)
		dprintf(plan->report, "%s\n", ended);
	else if (WIFSIGNALED(status))
		dprintf(plan->report, "signal %d\n", WTERMSIG(status));
	else
		dprintf(plan->report, "exit %d\n", WEXITSTATUS(status));
	_exit(0);
}

int main(int argc, char **argv)
{
	struct plan plan = { .report = -1, .user = -1, .newest = INT16_MAX };
	int leash[2], status;
	pid_t supervisor;

	failures = STDERR_FILENO;
	for (argv++; argc > 1 && strcmp(*argv, "--"); argv++, argc--)
		read_option(&plan, *argv);
	plan.argv = argv + 1;
	errno = EINVAL;
	if (argc < 3 || plan.report < 3)
		give_up("arguments");
	failures = plan.report;
	if (fcntl(plan.report, F_SETFD, FD_CLOEXEC))
		give_up("report");
	die_with((pid_t)plan.owner);
	if (pipe2(leash, O_CLOEXEC))
		give_up("pipe");
	supervisor = fork();
	if (supervisor < 0)
		give_up("fork");
	if (!supervisor) {
		close(leash[1]);
		supervise(&plan, leash[0]);
	}
	close(leash[0]);
	close(plan.report);
	while (waitpid(supervisor, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
