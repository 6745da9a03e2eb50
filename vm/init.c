// SPDX-License-Identifier: MIT
/*
 * The first program of the guest (/init of the initramfs): from the kernel's first process to a running agent.
 * vm/README.md tells the boot order. Whatever fails is said in one line on the console, and the machine goes off.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MODULE_INIT_COMPRESSED_FILE 4
#define DEVICE_WAIT_MS 30000
#define QUICK_DEATHS 5 /* so many deaths of the agent, each within a second, and it will never live */
#define PORT "/dev/vport0p1"

static _Noreturn void fatal(const char *what, const char *object)
{
	const char *reason = errno ? strerror(errno) : "gave up";
	int fd = open("/dev/console", O_WRONLY | O_NOCTTY);

	dprintf(fd < 0 ? STDERR_FILENO : fd, "\nkmodlab-init: %s %s: %s\n", what, object, reason);
	if (fd >= 0)
		tcdrain(fd);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void mount_at(const char *type, const char *target, unsigned long flags, const char *options)
{
	if (mkdir(target, 0755) && errno != EEXIST && errno != EROFS)
		fatal("mkdir", target);
	if (mount(type, target, type, flags, options) && errno != EBUSY)
		fatal("mount", target);
}

/* Like mount_at(), for what not every kernel has. */
static void mount_if_known(const char *type, const char *target)
{
	if (mount(type, target, type, 0, NULL) && errno != ENOENT && errno != ENODEV && errno != EBUSY)
		fatal("mount", target);
}

static void load_module(const char *path, const char *parameters)
{
	char start[6] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC), flags = 0;

	if (fd < 0 && errno == ENOENT)
		return; /* built into this kernel */
	if (fd < 0 || read(fd, start, sizeof(start)) < 0)
		fatal("open", path);
	if (!memcmp(start, "\xfd" "7zXZ", 5) || !memcmp(start, "\x1f\x8b", 2) || !memcmp(start, "\x28\xb5\x2f\xfd", 4))
		flags = MODULE_INIT_COMPRESSED_FILE;
	if (syscall(SYS_finit_module, fd, parameters, flags) && errno != EEXIST)
		fatal("load", path);
	close(fd);
}

/* /modules.list: a path in the initramfs a line, with the module's parameters behind it; # begins a comment. */
static void load_modules(void)
{
	char line[1024];
	FILE *list = fopen("/modules.list", "re");

	while (list && fgets(line, sizeof(line), list)) {
		line[strcspn(line, "#\n")] = '\0';
		char *path = line + strspn(line, " \t");
		char *parameters = path + strcspn(path, " \t");

		if (*parameters)
			*parameters++ = '\0';
		if (*path)
			load_module(path, parameters);
	}
	if (list)
		fclose(list);
}

/* The value of "kmodlab.NAME=" on the kernel's command line, or a default. */
static const char *option(const char *name, const char *otherwise)
{
	static char line[4096];
	char wanted[64], *word = line;
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	if (fd >= 0)
		close(fd);
	line[got < 0 ? 0 : got] = '\0';
	snprintf(wanted, sizeof(wanted), "kmodlab.%s=", name);
	for (word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
		if (!strncmp(word, wanted, strlen(wanted)))
			return strdup(word + strlen(wanted));
	}
	return otherwise;
}

static int uevents_open(void)
{
	/* struct sockaddr_nl of <linux/netlink.h>, which the C library does not bring along */
	struct {
		sa_family_t family;
		unsigned short pad;
		uint32_t pid, groups;
	} address = { .family = AF_NETLINK, .groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 15 /* NETLINK_KOBJECT_UEVENT */);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		fatal("listen for", "device events");
	return fd;
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* Wait until a device can be looked at; `events` has been open since before the drivers were loaded. */
static void wait_for_device(int events, const char *path)
{
	long long deadline = now_ms() + DEVICE_WAIT_MS;
	struct pollfd event = { .fd = events, .events = POLLIN };
	char text[4096];

	while (access(path, F_OK)) {
		long long left = deadline - now_ms();

		if (left <= 0 || poll(&event, 1, (int)left) == 0) {
			errno = ENODEV;
			fatal("wait for", path);
		}
		while (read(events, text, sizeof(text)) > 0)
			; /* any event: look again */
	}
}

static void mount_root(const char *device)
{
	mkdir("/lower", 0755);
	if (mount(device, "/lower", option("rootfstype", "squashfs"), MS_RDONLY, NULL))
		fatal("mount", device);
	mount_at("tmpfs", "/rw", 0, "mode=0755");
	mkdir("/rw/upper", 0755);
	mkdir("/rw/work", 0755);
	mount_at("overlay", "/new", 0, "lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work");
}

static void move_filesystem(const char *from, const char *to)
{
	mkdir(to, 0755);
	if (mount(from, to, NULL, MS_MOVE, NULL))
		fatal("move", to);
}

/* Give back the memory of the initramfs' files: remove what lies on its own filesystem. */
static void empty_folder(int folder, dev_t device)
{
	DIR *entries = fdopendir(folder);
	struct dirent *entry;
	struct stat info;

	while (entries && (entry = readdir(entries))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (fstatat(dirfd(entries), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) || info.st_dev != device)
			continue;
		if (S_ISDIR(info.st_mode)) {
			int inner = openat(dirfd(entries), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (inner >= 0)
				empty_folder(inner, device);
		}
		unlinkat(dirfd(entries), entry->d_name, S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0);
	}
	if (entries)
		closedir(entries);
}

static void switch_root(void)
{
	struct stat info;
	int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (old < 0 || fstat(old, &info))
		fatal("open", "/");
	empty_folder(old, info.st_dev);
	if (chdir("/new") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fatal("switch to", "the root filesystem");
}

static void mount_kernel_filesystems(void)
{
	mkdir("/dev/pts", 0755);
	mount_at("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
	mount_at("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_at("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
	mount_at("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_if_known("debugfs", "/sys/kernel/debug");
	mount_if_known("tracefs", "/sys/kernel/tracing");
	if (symlink("/proc/self/fd", "/dev/fd") || symlink("fd/0", "/dev/stdin") || symlink("fd/1", "/dev/stdout") ||
	    symlink("fd/2", "/dev/stderr"))
		errno = 0; /* there already */
}

static void bring_up_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		fatal("bring up", "lo");
	close(fd);
}

static pid_t spawn_agent(int agent)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	int null = open("/dev/null", O_RDWR), console = open("/dev/console", O_WRONLY | O_NOCTTY);
	dup2(null, STDIN_FILENO);
	dup2(console < 0 ? null : console, STDOUT_FILENO);
	dup2(console < 0 ? null : console, STDERR_FILENO);
	setsid();
	fexecve(agent, (char *[]){ "kmodlab-agent", PORT, NULL }, (char *[]){ NULL });
	_exit(126);
}

/* Keep the agent running and take in orphans, for ever. */
static _Noreturn void supervise(int agent)
{
	for (int quick = 0; quick < QUICK_DEATHS;) {
		long long started = now_ms();
		pid_t pid = spawn_agent(agent), dead;

		if (pid < 0)
			fatal("fork", "the agent");
		do {
			dead = wait(NULL);
		} while (dead != pid && (dead > 0 || errno == EINTR));
		quick = now_ms() - started < 1000 ? quick + 1 : 0;
	}
	errno = 0;
	fatal("run", "the agent");
}

int main(void)
{
	mount_at("devtmpfs", "/dev", MS_NOSUID, NULL);
	mount_at("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_at("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);

	int agent = open("/agent", O_RDONLY | O_CLOEXEC), events = uevents_open();
	const char *root = option("root", "/dev/vda"), *name = option("hostname", "kmodlab");
	if (agent < 0)
		fatal("open", "/agent");
	load_modules();
	wait_for_device(events, root);
	wait_for_device(events, PORT);
	close(events);

	mount_root(root);
	move_filesystem("/dev", "/new/dev");
	move_filesystem("/proc", "/new/proc");
	move_filesystem("/sys", "/new/sys");
	switch_root();
	mount_kernel_filesystems();
	if (sethostname(name, strlen(name)))
		fatal("set the host name", name);
	bring_up_loopback();
	supervise(agent);
}
