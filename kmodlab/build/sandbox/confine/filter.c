// SPDX-License-Identifier: MIT
/*
 * Seccomp: what may be asked of the kernel. Landlock says which files can be opened; this closes what Landlock does not
 * look at: sockets, modes and times and owners of files, other processes, and the kernel's larger interfaces.
 *
 * What stands in no list here is refused (EPERM), or unknown (ENOSYS) if it came after these lists were written, so
 * that a C library of later years falls back to what it did before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "no list of system calls for this architecture"
#endif

#define NEWEST_KNOWN 462 /* mseal, Linux 6.10; the numbers from 424 on are the same everywhere */
#define NEW_NAMESPACES                                                                                   \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
	 CLONE_NEWNET)
/* Of a 64-bit argument, the half that holds all of it where the kernel takes an int. */
#define ARGUMENT(n) (unsigned int)offsetof(struct seccomp_data, args[n])
#define REFUSE(error) (SECCOMP_RET_ERRNO | (error))

static const int allowed[] = {
#ifdef __x86_64__
	SYS_access, SYS_alarm, SYS_arch_prctl, SYS_creat, SYS_dup2, SYS_epoll_create, SYS_epoll_wait, SYS_eventfd,
	SYS_fork, SYS_getdents, SYS_getpgrp, SYS_link, SYS_lstat, SYS_mkdir, SYS_mknod, SYS_pause, SYS_pipe, SYS_poll,
	SYS_readlink, SYS_rename, SYS_rmdir, SYS_select, SYS_signalfd, SYS_stat, SYS_symlink, SYS_time, SYS_unlink,
	SYS_vfork, SYS_newfstatat,
#else
	SYS_newfstatat,
#endif
	/* files */
	SYS_read, SYS_write, SYS_close, SYS_fstat, SYS_lseek, SYS_mmap, SYS_munmap, SYS_brk, SYS_mprotect, SYS_pread64,
	SYS_pwrite64, SYS_readv, SYS_writev, SYS_preadv, SYS_pwritev, SYS_dup, SYS_dup3, SYS_pipe2, SYS_getcwd,
	SYS_chdir, SYS_fchdir, SYS_mkdirat, SYS_mknodat, SYS_unlinkat, SYS_symlinkat, SYS_linkat, SYS_renameat,
	SYS_faccessat, SYS_readlinkat, SYS_getdents64, SYS_statfs, SYS_fstatfs, SYS_ftruncate, SYS_fallocate,
	SYS_fadvise64, SYS_fsync, SYS_fdatasync, SYS_sync_file_range, SYS_sendfile, SYS_splice, SYS_tee, SYS_flock,
	SYS_umask, SYS_renameat2, SYS_statx, SYS_copy_file_range, SYS_preadv2, SYS_pwritev2,
	436 /* close_range */, 439 /* faccessat2 */,
	/* memory */
	SYS_mremap, SYS_madvise, SYS_mincore, SYS_msync, SYS_munlock, SYS_mlock, SYS_membarrier,
	/* waiting */
	SYS_ppoll, SYS_pselect6, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_eventfd2, SYS_signalfd4,
	SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime, SYS_nanosleep, SYS_clock_nanosleep,
	SYS_clock_gettime, SYS_clock_getres, SYS_gettimeofday, SYS_getitimer, SYS_setitimer, SYS_timer_create,
	SYS_timer_settime, SYS_timer_gettime, SYS_timer_getoverrun, SYS_timer_delete, SYS_restart_syscall,
	/* processes */
	SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group, SYS_wait4, SYS_waitid, SYS_getpid, SYS_getppid, SYS_gettid,
	SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_getpgid,
	SYS_setpgid, SYS_getsid, SYS_setsid, SYS_getrusage, SYS_times, SYS_uname, SYS_sysinfo, SYS_getcpu,
	SYS_getrandom, SYS_capget, SYS_getpriority, SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_getparam,
	SYS_sched_getscheduler, SYS_sched_get_priority_max, SYS_sched_get_priority_min, SYS_futex,
	SYS_set_robust_list, SYS_setresuid, SYS_setresgid, SYS_setuid, SYS_setgid, /* without rights: to what it is */ SYS_set_tid_address, SYS_rseq,
	/* signals; how to send them stands below */
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigpending, SYS_rt_sigtimedwait,
	SYS_rt_sigsuspend, SYS_sigaltstack,
#ifdef __x86_64__
	SYS_getrlimit, SYS_setrlimit,
#endif
};

/* Where a library falls back to an older call, of which the arguments can be looked at, or where none is no loss. */
static const int unknown[] = { 435 /* clone3 */, 437 /* openat2 */, SYS_memfd_create, 425 /* io_uring_setup */,
			       434 /* pidfd_open */, 452 /* fchmodat2 */ };

/* As a file system without them answers. */
static const int no_attributes[] = { SYS_getxattr,  SYS_lgetxattr,  SYS_fgetxattr,  SYS_listxattr,
				     SYS_llistxattr, SYS_flistxattr, SYS_setxattr,   SYS_lsetxattr,
				     SYS_fsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr };

/* As for a descriptor that is no socket: there is none. A shell asks that of its standard input. */
static const int no_socket[] = { SYS_getpeername, SYS_getsockname, SYS_getsockopt };

static const int signals[] = { SYS_kill, SYS_tkill, SYS_tgkill };
static const int modes[] = { SYS_fchmod, SYS_fchmodat,
#ifdef __x86_64__
			     SYS_chmod,
#endif
};

/* Which ioctls: of a terminal only what tells that there is none; what a pipe holds; copying by reference. */
static const unsigned int ioctls[] = { 0x5401, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451, 0x802c542a, 0x40049409 };
/* Which fcntls are refused: they send signals to others, lease files or watch folders. */
static const unsigned int fcntls[] = { 8, 10, 15, 1024, 1026 };
static const unsigned int prctls[] = { PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_NAME,
				       PR_GET_NAME,	 PR_CAPBSET_READ,  0x53564d41 /* PR_SET_VMA */ };

static struct sock_filter code[1024];
static unsigned short length;

static void put(unsigned short what, unsigned int value, unsigned char if_true, unsigned char if_false)
{
	if (length == sizeof(code) / sizeof(*code)) {
		errno = E2BIG;
		give_up("filter");
	}
	code[length++] = (struct sock_filter){ what, if_true, if_false, value };
}

static void load(unsigned int offset)
{
	put(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void end(unsigned int verdict)
{
	put(BPF_RET | BPF_K, verdict, 0, 0);
}

static void end_if(unsigned int value, unsigned int verdict)
{
	put(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	end(verdict);
}

#define EACH(list, verdict)                                       \
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) \
	end_if((unsigned int)(list)[i], verdict)

/* The lines that follow up to `closed` are about one call only. */
static unsigned short only(int number)
{
	put(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number, 0, 0);
	return (unsigned short)(length - 1);
}

static void closed(unsigned short opened)
{
	code[opened].jf = (unsigned char)(length - 1 - opened);
}

/* A file that may only be read could be emptied by opening it for reading and O_TRUNC; see landlock.c. */
static void put_open(int number, int argument)
{
	unsigned short opened = only(number);

	load(ARGUMENT(argument));
	put(BPF_ALU | BPF_AND | BPF_K, O_TRUNC | O_ACCMODE, 0, 0);
	end_if(O_TRUNC | O_RDONLY, REFUSE(EPERM));
	end(SECCOMP_RET_ALLOW);
	closed(opened);
}

static void put_lists(int number, int argument, const unsigned int *list, size_t count, unsigned int in,
		      unsigned int not_in)
{
	unsigned short opened = only(number);

	load(ARGUMENT(argument));
	for (size_t i = 0; i < count; i++)
		end_if(list[i], in);
	end(not_in);
	closed(opened);
}

static void put_zero_only(int number, int argument)
{
	unsigned short opened = only(number);

	load(ARGUMENT(argument) + 4);
	put(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	end(REFUSE(EPERM));
	load(ARGUMENT(argument));
	end_if(0, SECCOMP_RET_ALLOW);
	end(REFUSE(EPERM));
	closed(opened);
}

static void put_clone(void)
{
	unsigned short opened = only(SYS_clone);

	load(ARGUMENT(0));
	put(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 0, 1);
	end(REFUSE(EPERM));
	end(SECCOMP_RET_ALLOW);
	closed(opened);
}

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

void shut_calls(bool signals_are_scoped, bool own_user)
{
	struct sock_fprog program = { .filter = code };

	load(offsetof(struct seccomp_data, arch));
	put(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	end(SECCOMP_RET_KILL_PROCESS);
	load(offsetof(struct seccomp_data, nr));
	put(BPF_JMP | BPF_JGT | BPF_K, NEWEST_KNOWN, 0, 1); /* those of the x32 interface too */
	end(REFUSE(ENOSYS));
#ifdef __x86_64__
	put_open(SYS_open, 1);
#endif
	put_open(SYS_openat, 2);
	EACH(allowed, SECCOMP_RET_ALLOW);
	put_clone();
	put_lists(SYS_ioctl, 1, ioctls, COUNT(ioctls), SECCOMP_RET_ALLOW, REFUSE(ENOTTY));
	put_lists(SYS_fcntl, 1, fcntls, COUNT(fcntls), REFUSE(EPERM), SECCOMP_RET_ALLOW);
	put_lists(SYS_prctl, 0, prctls, COUNT(prctls), SECCOMP_RET_ALLOW, REFUSE(EINVAL));
	put_zero_only(SYS_prlimit64, 0); /* its own limits */
	put_zero_only(SYS_utimensat, 1); /* the times of a file that it could open */
	if (signals_are_scoped || own_user)
		EACH(signals, SECCOMP_RET_ALLOW);
	else
		put_zero_only(SYS_kill, 0); /* its own group */
	if (own_user)
		EACH(modes, SECCOMP_RET_ALLOW);
	EACH(unknown, REFUSE(ENOSYS));
	EACH(no_attributes, REFUSE(EOPNOTSUPP));
	EACH(no_socket, REFUSE(ENOTSOCK));
	end(REFUSE(EPERM));
	program.len = length;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		give_up("seccomp");
}
