// SPDX-License-Identifier: MIT
/*
 * Send bytes over TCP from one network namespace to another, and back, and
 * compare checksums at both ends.
 *
 *	tcp_sum SENDER-NAMESPACE RECEIVER-NAMESPACE RECEIVER-ADDRESS MEGABYTES
 *
 * A namespace is a file such as /run/netns/left. Prints one line and ends with
 * 0, or says what failed and ends with 1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 4711

static char buffer[1 << 16];

static long must(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

static void enter(const char *namespace)
{
	int fd = must(open(namespace, O_RDONLY), namespace);

	must(setns(fd, CLONE_NEWNET), "setns");
	close(fd);
}

/* FNV-1a: each byte in its place changes the sum. */
static uint64_t add(uint64_t sum, const char *bytes, long count)
{
	while (count--)
		sum = (sum ^ (unsigned char)*bytes++) * 0x100000001b3;
	return sum;
}

/* Read until the other end says that it has sent all, or "limit" bytes came. */
static uint64_t receive(int fd, long *total, long limit)
{
	uint64_t sum = 0xcbf29ce484222325;
	long got;

	for (*total = 0; *total < limit; *total += got) {
		got = must(read(fd, buffer, sizeof(buffer)), "read");
		if (!got)
			break;
		sum = add(sum, buffer, got);
	}
	return sum;
}

static uint64_t send_random(int fd, long total)
{
	uint64_t sum = 0xcbf29ce484222325, state = 88172645463325252;
	long i, done;

	while (total > 0) {
		long count = total < (long)sizeof(buffer) ? total : (long)sizeof(buffer);

		for (i = 0; i < count; i += 8) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			memcpy(buffer + i, &state, 8);
		}
		sum = add(sum, buffer, count);
		for (done = 0; done < count;)
			done += must(write(fd, buffer + done, count - done), "write");
		total -= count;
	}
	return sum;
}

/* The receiver answers with the sum of what it got. */
static void serve(int listener)
{
	int fd = must(accept(listener, NULL, NULL), "accept");
	long total;
	uint64_t sum = receive(fd, &total, 1L << 40);

	must(write(fd, &sum, sizeof(sum)), "write");
	exit(0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct timespec begin, end;
	uint64_t sent, received = 0;
	int fd, status;
	long total;

	if (argc != 5 || !inet_pton(AF_INET, argv[3], &address.sin_addr))
		return 2;
	total = atol(argv[4]) << 20;
	alarm(120);
	enter(argv[2]);
	fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	must(bind(fd, (void *)&address, sizeof(address)), "bind");
	must(listen(fd, 1), "listen");
	if (!must(fork(), "fork"))
		serve(fd);
	close(fd);

	enter(argv[1]);
	fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	must(connect(fd, (void *)&address, sizeof(address)), "connect");
	sent = send_random(fd, total);
	must(shutdown(fd, SHUT_WR), "shutdown");
	must(recv(fd, &received, sizeof(received), MSG_WAITALL), "recv");
	clock_gettime(CLOCK_MONOTONIC, &end);
	must(wait(&status), "wait");
	if (sent != received || status) {
		printf("sent %016llx, received %016llx\n", (long long)sent, (long long)received);
		return 1;
	}
	printf("ok: %ld bytes, sum %016llx, %.2f s\n", total, (long long)sent,
	       end.tv_sec - begin.tv_sec + (end.tv_nsec - begin.tv_nsec) / 1e9);
	return 0;
}
