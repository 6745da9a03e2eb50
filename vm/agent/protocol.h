/* SPDX-License-Identifier: MIT */
/*
 * The frames between the host and the agent; vm/README.md describes them, kmodlab/guest/frames.py is the other side.
 * All numbers are little-endian, as are the processors that the guest runs on.
 */
#ifndef KMODLAB_PROTOCOL_H
#define KMODLAB_PROTOCOL_H

#include <stdint.h>

#define PROTOCOL_VERSION 2
#define FRAME_MAGIC 0x316c6d6bu /* "kml1" */
#define FRAME_MAX (256u << 10)	/* bytes of payload in one frame */
#define STDIN_WINDOW (256u << 10) /* bytes of standard input a task may have underway */
#define NONCE_SIZE 16

enum frame_type {
	/* from the host */
	FRAME_HELLO = 1,     /* nonce: a new host; tasks of the last one are dropped */
	FRAME_START = 2,     /* struct start, then strings: cwd, argv, environment */
	FRAME_STDIN = 3,     /* bytes */
	FRAME_STDIN_EOF = 4, /* empty */
	FRAME_SIGNAL = 5,    /* uint32_t signal, sent to the task's process group */
	FRAME_PING = 6,	     /* bytes */
	FRAME_IDENTITY = 7,  /* struct identity, or only its first field */
	/* from the agent */
	FRAME_WELCOME = 0x81, /* nonce, uint32_t version; the nonce is zero when the agent has just started */
	FRAME_OUT = 0x82,     /* bytes of standard output */
	FRAME_ERR = 0x83,     /* bytes of standard error */
	FRAME_EXIT = 0x84,    /* struct exit_record; the task's last frame */
	FRAME_CREDIT = 0x85,  /* uint32_t: bytes of standard input that the task has taken */
	FRAME_PONG = 0x86,    /* the bytes of the PING */
	FRAME_IDENTIFIED = 0x87, /* uint32_t errno, 0: done; then what failed, in words */
};

struct frame {
	uint32_t magic;
	uint32_t task;
	uint32_t length;
	uint8_t type;
	uint8_t zero;
	uint16_t check; /* all eight 16-bit words of a header give CHECK_SEED when xor-ed */
};

#define CHECK_SEED 0x4d4b

struct start {
	uint32_t limit_ms; /* 0: none */
	uint32_t argc;
	uint32_t envc;
};

struct identity {
	uint64_t epoch_ns; /* nanoseconds since 1970 */
	uint8_t entropy[64];
	char machine_id[32]; /* hex digits */
	uint8_t mac[6];
	uint8_t zero[2];
};

enum exit_how { HOW_EXITED = 0, HOW_SIGNALLED = 1, HOW_UNKNOWN = 2 };
enum exit_flags { EXIT_TIMED_OUT = 1, EXIT_STUCK = 2 };

struct exit_record {
	uint8_t how;
	uint8_t flags;
	uint16_t error; /* errno of a built-in, or of what kept the program from starting; 0: none */
	int32_t code;	/* exit status, or number of the signal */
	uint64_t log_us; /* time of the kernel log's newest record; 0: unknown */
};

#endif
