// SPDX-License-Identifier: MIT
/* What tells one clone of a frozen machine from the next: time, entropy and names. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
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

static int set_clock(uint64_t nanoseconds)
{
	struct timespec now = { .tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000) };

	return clock_settime(CLOCK_REALTIME, &now) ? errno : 0;
}

static int add_entropy(const uint8_t *bytes, size_t size)
{
	struct entropy entropy = { .bits = (int)size * 8, .size = (int)size };
	int error = 0, fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	memcpy(entropy.bytes, bytes, size);
	if (ioctl(fd, RNDADDENTROPY, &entropy) || ioctl(fd, RNDRESEEDCRNG))
		error = errno;
	close(fd);
	return error;
}

static int write_machine_id(const char *digits, size_t size)
{
	int fd = open("/etc/machine-id", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);

	if (fd < 0)
		return errno;
	int error = dprintf(fd, "%.*s\n", (int)size, digits) < 0 ? errno : 0;
	close(fd);
	return error;
}

static int set_mac(const uint8_t mac[6])
{
	struct ifreq request = { .ifr_name = "eth0" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, mac, 6);
	int error = ioctl(fd, SIOCSIFHWADDR, &request) ? errno : 0;
	close(fd);
	return error;
}

static int identify(const struct identity *identity, bool clock_only, const char **what)
{
	int error = set_clock(identity->epoch_ns);

	*what = "set the clock";
	if (error || clock_only)
		return error;
	*what = "reseed /dev/urandom";
	error = add_entropy(identity->entropy, sizeof(identity->entropy));
	if (error)
		return error;
	*what = "write /etc/machine-id";
	error = write_machine_id(identity->machine_id, sizeof(identity->machine_id));
	if (error)
		return error;
	*what = "set the address of eth0";
	return set_mac(identity->mac);
}

void identity_received(const uint8_t *payload, size_t length)
{
	struct {
		uint32_t error;
		char what[60];
	} answer = { 0 };
	struct identity identity = { 0 };
	bool clock_only = length == sizeof(identity.epoch_ns);
	const char *what;

	if (!clock_only && length != sizeof(identity))
		return;
	memcpy(&identity, payload, length);
	answer.error = (uint32_t)identify(&identity, clock_only, &what);
	strncpy(answer.what, what, sizeof(answer.what) - 1);
	if (port_room(sizeof(answer)))
		port_send(0, FRAME_IDENTIFIED, &answer, sizeof(answer.error) + strlen(answer.what));
}
