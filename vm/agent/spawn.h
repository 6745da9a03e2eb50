/* SPDX-License-Identifier: MIT */
#ifndef KMODLAB_SPAWN_H
#define KMODLAB_SPAWN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct request {
	uint32_t limit_ms;
	size_t argc, envc;
	const char *cwd;
	char **argv, **env;
};

struct spawned {
	pid_t pid;
	uint32_t limit_ms;
	int pipes[4]; /* the agent's ends: standard input, output, error, and the errno that a child may report */
};

/* Start the child that the payload of a START frame asks for. Returns 0 or an errno. */
int spawn(const uint8_t *payload, size_t length, struct spawned *spawned);

#endif
