// SPDX-License-Identifier: MIT
/* The table of running tasks: their pipes, their time limits and their ends. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "spawn.h"

#define CHUNK (32u << 10)	/* bytes of output in one frame */
#define RESERVE (4u << 10)	/* room in the send queue that output leaves to the short frames */
#define CREDIT_STEP (32u << 10) /* give credit in steps, not for every write */
#define STUCK_MS 1000		/* what SIGKILL has not ended after this time sits in the kernel */

struct task {
	bool used;
	uint32_t id;
	pid_t pid;
	int in, out, err, result;
	uint8_t *buffer; /* standard input that the pipe did not take yet, STDIN_WINDOW bytes */
	size_t head, tail;
	bool eof;
	uint32_t owed; /* credit to give */
	uint64_t limit_at, stuck_at; /* deadlines, 0: none */
	bool over, timed_out, stuck;
	int status;
	int out_left, err_left; /* bytes of output that were in the pipes when it ended */
};

static struct task tasks[TASKS];
static size_t rotation; /* which task's output is read first: another one each time */

static struct task *find(uint32_t id)
{
	for (size_t i = 0; i < TASKS; i++) {
		if (tasks[i].used && tasks[i].id == id)
			return &tasks[i];
	}
	return NULL;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void release(struct task *task)
{
	close_end(&task->in);
	close_end(&task->out);
	close_end(&task->err);
	close_end(&task->result);
	free(task->buffer);
	memset(task, 0, sizeof(*task));
}

static void send_exit(uint32_t id, struct exit_record record)
{
	record.log_us = kmsg_newest();
	port_send(id, FRAME_EXIT, &record, sizeof(record));
}

void tasks_start(uint32_t id, const uint8_t *payload, size_t length)
{
	struct task *task = NULL;
	struct spawned spawned;

	for (size_t i = 0; !task && i < TASKS; i++)
		task = tasks[i].used ? NULL : &tasks[i];
	int error = task ? spawn(payload, length, &spawned) : EAGAIN;
	if (error) {
		/* Without room for the answer, the host never hears of it; it has at least TASKS answers to read. */
		if (port_room(sizeof(struct exit_record)))
			send_exit(id, (struct exit_record){ .how = HOW_UNKNOWN, .error = (uint16_t)error });
		return;
	}
	*task = (struct task){
		.used = true,
		.id = id,
		.pid = spawned.pid,
		.in = spawned.pipes[0],
		.out = spawned.pipes[1],
		.err = spawned.pipes[2],
		.result = spawned.pipes[3],
		.limit_at = spawned.limit_ms ? now_ms() + spawned.limit_ms : 0,
	};
}

/* Write to the task what its pipe takes. One that closed its standard input reads everything, into nothing. */
static void feed(struct task *task)
{
	while (task->in >= 0 && task->head != task->tail) {
		ssize_t put = write(task->in, task->buffer + task->head, task->tail - task->head);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN)
			break;
		if (put < 0) {
			close_end(&task->in);
			break;
		}
		task->head += (size_t)put;
		task->owed += (uint32_t)put;
	}
	if (task->in < 0) {
		task->owed += (uint32_t)(task->tail - task->head);
		task->head = task->tail;
	}
	if (task->head == task->tail) {
		task->head = task->tail = 0;
		if (task->eof)
			close_end(&task->in);
	}
}

static bool credit_due(const struct task *task)
{
	return task->owed >= CREDIT_STEP || (task->owed && task->head == task->tail);
}

static void give_credit(struct task *task)
{
	if (task->over || !credit_due(task) || !port_room(sizeof(task->owed)))
		return;
	port_send(task->id, FRAME_CREDIT, &task->owed, sizeof(task->owed));
	task->owed = 0;
}

void tasks_stdin(uint32_t id, const uint8_t *data, size_t length)
{
	struct task *task = find(id);

	if (!task || task->over || task->eof)
		return;
	if (!task->buffer)
		task->buffer = malloc(STDIN_WINDOW);
	if (!task->buffer || task->tail - task->head + length > STDIN_WINDOW) {
		tasks_signal(id, SIGKILL); /* a host that does not wait for credit */
		return;
	}
	if (task->tail + length > STDIN_WINDOW) {
		memmove(task->buffer, task->buffer + task->head, task->tail - task->head);
		task->tail -= task->head;
		task->head = 0;
	}
	memcpy(task->buffer + task->tail, data, length);
	task->tail += length;
	feed(task);
	give_credit(task);
}

void tasks_stdin_eof(uint32_t id)
{
	struct task *task = find(id);

	if (!task || task->over)
		return;
	task->eof = true;
	feed(task);
}

static void signal_task(struct task *task, int number)
{
	/* Right after the fork the child may not have its own process group yet. */
	if (kill(-task->pid, number) && errno == ESRCH)
		kill(task->pid, number);
	if (number == SIGKILL && !task->stuck_at)
		task->stuck_at = now_ms() + STUCK_MS;
}

void tasks_signal(uint32_t id, int number)
{
	struct task *task = find(id);

	if (task && !task->over && number > 0 && number < 65)
		signal_task(task, number);
}

void tasks_drop_all(void)
{
	for (size_t i = 0; i < TASKS; i++) {
		if (!tasks[i].used)
			continue;
		if (!tasks[i].over)
			signal_task(&tasks[i], SIGKILL);
		release(&tasks[i]);
	}
}

/* Read what is in the pipes now and no more: what the task left running in the background may write for ever. */
static void task_over(struct task *task)
{
	task->over = true;
	close_end(&task->in);
	if (ioctl(task->out, FIONREAD, &task->out_left))
		task->out_left = 0;
	if (ioctl(task->err, FIONREAD, &task->err_left))
		task->err_left = 0;
}

void tasks_reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < TASKS; i++) {
			if (!tasks[i].used || tasks[i].over || tasks[i].pid != pid)
				continue;
			tasks[i].status = status;
			task_over(&tasks[i]);
		}
	}
}

/* Move one piece of output into the send queue. Returns its size, 0 if there is nothing more, -1 if there is no room. */
static ssize_t forward(struct task *task, int *fd, enum frame_type type, size_t most)
{
	if (*fd < 0)
		return 0;
	if (!port_room(CHUNK + RESERVE))
		return -1;
	ssize_t got = read(*fd, port_reserve(), most < CHUNK ? most : CHUNK);
	if (got > 0)
		port_commit(task->id, type, (size_t)got);
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		close_end(fd);
	return got > 0 ? got : 0;
}

static bool drain(struct task *task, int *fd, enum frame_type type, int *left)
{
	while (*left > 0) {
		ssize_t got = forward(task, fd, type, (size_t)*left);

		if (got < 0)
			return false;
		*left = got ? *left - (int)got : 0;
	}
	return true;
}

static int reported_error(const struct task *task)
{
	int error = 0;

	return read(task->result, &error, sizeof(error)) == (ssize_t)sizeof(error) ? error : 0;
}

static void finish(struct task *task)
{
	struct exit_record record = { .how = HOW_UNKNOWN };

	if (!drain(task, &task->out, FRAME_OUT, &task->out_left) || !drain(task, &task->err, FRAME_ERR, &task->err_left))
		return;
	if (!port_room(sizeof(record)))
		return;
	if (!task->stuck) {
		record.how = WIFSIGNALED(task->status) ? HOW_SIGNALLED : HOW_EXITED;
		record.code = WIFSIGNALED(task->status) ? WTERMSIG(task->status) : WEXITSTATUS(task->status);
	}
	record.flags = (task->timed_out ? EXIT_TIMED_OUT : 0) | (task->stuck ? EXIT_STUCK : 0);
	record.error = (uint16_t)reported_error(task);
	send_exit(task->id, record);
	release(task);
}

size_t tasks_poll(struct pollfd *polls)
{
	bool room = port_room(CHUNK + RESERVE);
	size_t count = 0;

	for (size_t i = 0; i < TASKS; i++) {
		struct task *task = &tasks[i];
		bool live = task->used && !task->over;
		struct pollfd *entry = polls + i * TASK_POLLS;

		entry[0] = (struct pollfd){ .fd = live && task->head != task->tail ? task->in : -1, .events = POLLOUT };
		entry[1] = (struct pollfd){ .fd = live && room ? task->out : -1, .events = POLLIN };
		entry[2] = (struct pollfd){ .fd = live && room ? task->err : -1, .events = POLLIN };
		if (task->used)
			count = (i + 1) * TASK_POLLS;
	}
	return count;
}

void tasks_events(const struct pollfd *polls, size_t count)
{
	size_t slots = count / TASK_POLLS;

	rotation++;
	for (size_t n = 0; n < slots; n++) {
		size_t i = (n + rotation) % slots;
		const struct pollfd *entry = polls + i * TASK_POLLS;

		if (entry[0].revents)
			feed(&tasks[i]);
		if (entry[1].revents)
			forward(&tasks[i], &tasks[i].out, FRAME_OUT, CHUNK);
		if (entry[2].revents)
			forward(&tasks[i], &tasks[i].err, FRAME_ERR, CHUNK);
		if (tasks[i].used)
			give_credit(&tasks[i]);
	}
}

void tasks_deadlines(void)
{
	uint64_t now = now_ms();

	for (size_t i = 0; i < TASKS; i++) {
		struct task *task = &tasks[i];

		if (!task->used)
			continue;
		if (!task->over && task->limit_at && now >= task->limit_at) {
			task->limit_at = 0;
			task->timed_out = true;
			signal_task(task, SIGKILL);
		}
		if (!task->over && task->stuck_at && now >= task->stuck_at) {
			task->stuck = true;
			task_over(task);
		}
		if (task->over)
			finish(task);
	}
}

int tasks_wait_ms(void)
{
	uint64_t now = now_ms(), next = UINT64_MAX;

	for (size_t i = 0; i < TASKS; i++) {
		const struct task *task = &tasks[i];

		if (!task->used)
			continue;
		if ((task->over && port_room(CHUNK + RESERVE)) || (credit_due(task) && port_room(sizeof(task->owed))))
			return 0;
		if (!task->over && task->limit_at && task->limit_at < next)
			next = task->limit_at;
		if (!task->over && task->stuck_at && task->stuck_at < next)
			next = task->stuck_at;
	}
	if (next == UINT64_MAX)
		return -1;
	return next <= now ? 0 : next - now > 60000 ? 60000 : (int)(next - now);
}
