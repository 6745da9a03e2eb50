// SPDX-License-Identifier: MIT
/* What tells one clone of a frozen machine from the next: time, entropy and names. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"

/* From <linux/random.h>, which the C library does not bring along. */
struct entropy {
	int bits;
	int size;
	unsigned char bytes[512];
};
#define RNDADDENTROPY _IOW('R', 0x03, int[2])
#define RNDRESEEDCRNG _IO('R', 0x07)

static int set_clock(const char *text)
{
	unsigned long long nanoseconds = strtoull(text, NULL, 10);
	struct timespec now = { .tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000) };

	return clock_settime(CLOCK_REALTIME, &now) ? errno : 0;
}

static int add_entropy(void)
{
	struct entropy entropy = { 0 };
	int error = 0;

	while (entropy.size < (int)sizeof(entropy.bytes)) {
		ssize_t got = read(STDIN_FILENO, entropy.bytes + entropy.size, sizeof(entropy.bytes) - (size_t)entropy.size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno;
		if (got == 0)
			break;
		entropy.size += (int)got;
	}
	if (entropy.size < 32)
		return ENODATA;
	entropy.bits = entropy.size * 8;
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (ioctl(fd, RNDADDENTROPY, &entropy) || ioctl(fd, RNDRESEEDCRNG))
		error = errno;
	close(fd);
	return error;
}

static int write_machine_id(const char *text)
{
	int fd = open("/etc/machine-id", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);

	if (fd < 0)
		return errno;
	int error = dprintf(fd, "%s\n", text) < 0 ? errno : 0;
	close(fd);
	return error;
}

static int set_mac(const char *text)
{
	struct ifreq request = { .ifr_name = "eth0" };
	unsigned char *mac = (unsigned char *)request.ifr_hwaddr.sa_data;

	for (int i = 0; i < 6; i++) {
		char *end;

		mac[i] = (unsigned char)strtoul(text, &end, 16);
		if (end != text + 2 || *end != (i < 5 ? ':' : '\0'))
			return EINVAL;
		text = end + 1;
	}
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	int error = ioctl(fd, SIOCSIFHWADDR, &request) ? errno : 0;
	close(fd);
	return error;
}

/* @identity EPOCH_NS MACHINE_ID HOSTNAME MAC: an empty MAC leaves eth0 alone; standard input: 32 to 512 random bytes */
int builtin_identity(int argc, char **argv)
{
	int error;

	if (argc != 5)
		return complain(EINVAL, argv[0], "EPOCH_NS MACHINE_ID HOSTNAME MAC");
	error = set_clock(argv[1]);
	if (error)
		return complain(error, "set", "the clock");
	error = add_entropy();
	if (error)
		return complain(error, "reseed", "/dev/urandom");
	error = write_machine_id(argv[2]);
	if (error)
		return complain(error, "write", "/etc/machine-id");
	if (sethostname(argv[3], strlen(argv[3])))
		return complain(errno, "set", "the host name");
	error = argv[4][0] ? set_mac(argv[4]) : 0;
	return error ? complain(error, "set", "the address of eth0") : 0;
}
