#include "calls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* What the arguments of a call are. */
enum shape {
	NOTHING,   /* to be told of */
	FILE_ONLY, /* a descriptor; a point when it is a regular file or a directory */
	STREAM,	 /* a descriptor; a point when it is a file or a socket, not a pipe or a terminal */
	SOCKET,	 /* a descriptor */
	ADDRESS, /* a descriptor and an address */
	PATH,
	AT,	 /* directory and path */
	OPEN,	 /* path and flags */
	OPEN_AT, /* directory, path and flags */
	PATHS,	 /* two */
	ATS,	 /* directory and path, twice */
	LINK_AT, /* text of the link, directory and path */
};

static const struct call {
	uint64_t number;
	const char *name;
	enum shape shape;
	bool reads; /* changes nothing: only its failure is of interest */
} calls[] = {
#ifdef SYS_open /* the old calls that newer architectures do without */
	{SYS_open, "open", OPEN, false},
	{SYS_rename, "rename", PATHS, false},
	{SYS_link, "link", PATHS, false},
	{SYS_symlink, "symlink", PATHS, false},
	{SYS_unlink, "unlink", PATH, false},
	{SYS_mkdir, "mkdir", PATH, false},
	{SYS_rmdir, "rmdir", PATH, false},
	{SYS_chmod, "chmod", PATH, false},
	{SYS_chown, "chown", PATH, false},
	{SYS_lchown, "lchown", PATH, false},
	{SYS_poll, "poll", NOTHING, true},
	{SYS_readlink, "readlink", PATH, true},
#endif
#ifdef SYS_renameat
	{SYS_renameat, "renameat", ATS, false},
#endif
	{SYS_openat, "openat", OPEN_AT, false},
	{SYS_renameat2, "renameat2", ATS, false},
	{SYS_linkat, "linkat", ATS, false},
	{SYS_symlinkat, "symlinkat", LINK_AT, false},
	{SYS_unlinkat, "unlinkat", AT, false},
	{SYS_mkdirat, "mkdirat", AT, false},
	{SYS_fchmod, "fchmod", FILE_ONLY, false},
	{SYS_fchmodat, "fchmodat", AT, false},
	{SYS_fchown, "fchown", FILE_ONLY, false},
	{SYS_fchownat, "fchownat", AT, false},
	{SYS_truncate, "truncate", PATH, false},
	{SYS_ftruncate, "ftruncate", FILE_ONLY, false},
	{SYS_fallocate, "fallocate", FILE_ONLY, false},
	{SYS_fsync, "fsync", FILE_ONLY, false},
	{SYS_fdatasync, "fdatasync", FILE_ONLY, false},
	{SYS_syncfs, "syncfs", FILE_ONLY, false},
	{SYS_sync_file_range, "sync_file_range", FILE_ONLY, false},
	{SYS_utimensat, "utimensat", AT, false},
	{SYS_write, "write", STREAM, false},
	{SYS_pwrite64, "pwrite64", STREAM, false},
	{SYS_writev, "writev", STREAM, false},
	{SYS_pwritev, "pwritev", STREAM, false},
	{SYS_connect, "connect", ADDRESS, false},
	{SYS_sendto, "sendto", SOCKET, false},
	{SYS_sendmsg, "sendmsg", SOCKET, false},
	{SYS_sendmmsg, "sendmmsg", SOCKET, false},
	{SYS_recvfrom, "recvfrom", SOCKET, false},
	{SYS_recvmsg, "recvmsg", SOCKET, false},
	{SYS_shutdown, "shutdown", SOCKET, false},
	{SYS_socket, "socket", NOTHING, true},
	{SYS_bind, "bind", SOCKET, true},
	{SYS_getsockopt, "getsockopt", SOCKET, true},
	{SYS_setsockopt, "setsockopt", SOCKET, true},
	{SYS_getsockname, "getsockname", SOCKET, true},
	{SYS_getpeername, "getpeername", SOCKET, true},
	{SYS_read, "read", STREAM, true},
	{SYS_pread64, "pread64", STREAM, true},
	{SYS_readv, "readv", STREAM, true},
	{SYS_close, "close", STREAM, true},
	{SYS_flock, "flock", FILE_ONLY, true},
	{SYS_fstat, "fstat", FILE_ONLY, true},
	{SYS_newfstatat, "newfstatat", AT, true},
	{SYS_statx, "statx", AT, true},
	{SYS_faccessat, "faccessat", AT, true},
	{SYS_faccessat2, "faccessat2", AT, true},
	{SYS_readlinkat, "readlinkat", AT, true},
	{SYS_getdents64, "getdents64", FILE_ONLY, true},
	{SYS_lseek, "lseek", FILE_ONLY, true},
	{SYS_getrandom, "getrandom", NOTHING, true},
	{SYS_ppoll, "ppoll", NOTHING, true},
	{SYS_pipe2, "pipe2", NOTHING, true},
	{SYS_eventfd2, "eventfd2", NOTHING, true},
	{SYS_clone3, "clone3", NOTHING, true},
};

static const struct call *find(uint64_t number)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].number == number)
			return &calls[i];
	return NULL;
}

/* In a filter a jump is told by how many instructions it skips. */
unsigned short call_filter(bool reads, struct sock_filter filter[static CALL_FILTER_SIZE])
{
	const size_t all = sizeof(calls) / sizeof(calls[0]);
	_Static_assert(sizeof(calls) / sizeof(calls[0]) + 3 <= CALL_FILTER_SIZE, "too many calls");
	size_t chosen = 0;
	for (size_t i = 0; i < all; i++)
		chosen += reads || !calls[i].reads;

	unsigned short length = 0;
	filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < all; i++) {
		if (!reads && calls[i].reads)
			continue;
		/* over the rest of these and over the "let pass" behind them */
		uint8_t skip = (uint8_t)chosen--;
		filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								(uint32_t)calls[i].number, skip, 0);
	}
	filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	return length;
}

bool call_is_made_anyway(uint64_t number)
{
	return number == SYS_close;
}

/* Memory of the thread; what is not there reads as zeros. */
static void memory_read(pid_t thread, uint64_t address, void *data, size_t size)
{
	memset(data, 0, size);
	struct iovec here = {data, size};
	struct iovec there = {(void *)(uintptr_t)address, size};
	(void)!process_vm_readv(thread, &here, 1, &there, 1, 0);
}

/* A string must not be read across the end of its page: the next one may not be there. */
static void string_read(pid_t thread, uint64_t address, char text[static PATH_MAX])
{
	size_t done = 0;
	while (done < PATH_MAX - 1) {
		size_t piece = 4096 - (address + done) % 4096;
		if (piece > PATH_MAX - 1 - done)
			piece = PATH_MAX - 1 - done;
		memory_read(thread, address + done, text + done, piece);
		if (memchr(text + done, '\0', piece))
			return;
		done += piece;
	}
	text[done] = '\0';
}

static void descriptor_path(pid_t thread, int fd, char path[static 64])
{
	if (fd == AT_FDCWD)
		snprintf(path, 64, "/proc/%d/cwd", (int)thread);
	else
		snprintf(path, 64, "/proc/%d/fd/%d", (int)thread, fd);
}

static void descriptor_name(pid_t thread, int fd, char name[static PATH_MAX])
{
	char path[64];
	descriptor_path(thread, fd, path);
	ssize_t length = readlink(path, name, PATH_MAX - 1);
	name[length > 0 ? length : 0] = '\0';
}

static mode_t descriptor_type(pid_t thread, int fd)
{
	char path[64];
	struct stat status;
	descriptor_path(thread, fd, path);
	return stat(path, &status) < 0 ? 0 : status.st_mode & S_IFMT;
}

/* Where sockets lead, by their number in "socket:[NUMBER]": told when they are connected. */
enum {
	SOCKETS = 256
};

static struct {
	char name[64], address[PATH_MAX];
} sockets[SOCKETS];
static size_t socket_count;

static void address_text(pid_t thread, uint64_t address, char text[static PATH_MAX])
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
		struct sockaddr_un local;
	} value;
	char host[INET6_ADDRSTRLEN] = "";
	memory_read(thread, address, &value, sizeof(value));
	switch (value.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &value.four.sin_addr, host, sizeof(host));
		snprintf(text, PATH_MAX, "%s:%u", host, ntohs(value.four.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &value.six.sin6_addr, host, sizeof(host));
		snprintf(text, PATH_MAX, "[%s]:%u", host, ntohs(value.six.sin6_port));
		break;
	case AF_UNIX:
		snprintf(text, PATH_MAX, "%.*s", (int)sizeof(value.local.sun_path),
			 value.local.sun_path);
		break;
	default:
		snprintf(text, PATH_MAX, "family %d", value.any.sa_family);
	}
}

static void connect_name(pid_t thread, const uint64_t arguments[6], char text[static PATH_MAX])
{
	char name[PATH_MAX];
	descriptor_name(thread, (int)arguments[0], name);
	address_text(thread, arguments[1], text);
	if (socket_count < SOCKETS) {
		snprintf(sockets[socket_count].name, sizeof(sockets[0].name), "%.63s", name);
		snprintf(sockets[socket_count++].address, PATH_MAX, "%s", text);
	}
}

static void stream_name(pid_t thread, int fd, char name[static PATH_MAX])
{
	descriptor_name(thread, fd, name);
	for (size_t i = socket_count; i > 0; i--)
		if (strcmp(sockets[i - 1].name, name) == 0) {
			snprintf(name, PATH_MAX, "%s", sockets[i - 1].address);
			return;
		}
	if (strncmp(name, "socket:", 7) == 0)
		snprintf(name, PATH_MAX, "socket");
}

static void at_name(pid_t thread, uint64_t directory, uint64_t path, char name[static PATH_MAX])
{
	char base[PATH_MAX];
	char file[PATH_MAX];
	string_read(thread, path, file);
	descriptor_name(thread, (int)directory, base);
	if (file[0] == '/' || (int)directory == AT_FDCWD)
		snprintf(name, PATH_MAX, "%s", file);
	else if (file[0] == '\0')
		snprintf(name, PATH_MAX, "%s", base);
	else if (snprintf(name, PATH_MAX, "%s/%s", base, file) >= PATH_MAX)
		name[PATH_MAX - 1] = '\0';
}

static bool descriptor_counts(pid_t thread, enum shape shape, int fd)
{
	mode_t type = descriptor_type(thread, fd);
	return type == S_IFREG || type == S_IFDIR || (shape == STREAM && type == S_IFSOCK);
}

/* Fills the names of the objects; false when it is about something that no crash can harm. */
static bool describe(pid_t thread, const struct call *call, const uint64_t arguments[6],
		     char one[static PATH_MAX], char other[static PATH_MAX])
{
	const uint64_t here = (uint64_t)AT_FDCWD;

	switch (call->shape) {
	case NOTHING:
		break;
	case FILE_ONLY:
	case STREAM:
		stream_name(thread, (int)arguments[0], one);
		return descriptor_counts(thread, call->shape, (int)arguments[0]);
	case SOCKET:
		stream_name(thread, (int)arguments[0], one);
		break;
	case ADDRESS:
		connect_name(thread, arguments, one);
		break;
	case PATH:
	case OPEN:
		at_name(thread, here, arguments[0], one);
		break;
	case AT:
	case OPEN_AT:
		at_name(thread, arguments[0], arguments[1], one);
		break;
	case PATHS:
		at_name(thread, here, arguments[0], one);
		at_name(thread, here, arguments[1], other);
		break;
	case ATS:
		at_name(thread, arguments[0], arguments[1], one);
		at_name(thread, arguments[2], arguments[3], other);
		break;
	case LINK_AT:
		string_read(thread, arguments[0], one);
		at_name(thread, arguments[1], arguments[2], other);
		break;
	}
	return true;
}

static bool only_asks(pid_t thread, const struct call *call, const uint64_t arguments[6])
{
	if (call->shape == OPEN)
		return !(arguments[1] & O_CREAT);
	if (call->shape == OPEN_AT)
		return !(arguments[2] & O_CREAT);
	/* Reading what another end sent changes what is left to be read. */
	bool receives = call->shape == STREAM && call->number != SYS_close &&
			descriptor_type(thread, (int)arguments[0]) == S_IFSOCK;
	return call->reads && !receives;
}

bool call_is_point(pid_t thread, uint64_t number, const uint64_t arguments[6], bool reads,
		   char text[static CALL_TEXT_SIZE])
{
	const struct call *call = find(number);
	char one[PATH_MAX] = "";
	char other[PATH_MAX] = "";
	if (!call || (!reads && only_asks(thread, call, arguments)) ||
	    !describe(thread, call, arguments, one, other))
		return false;
	snprintf(text, CALL_TEXT_SIZE, "%s\t%s%s%s", call->name, one, other[0] ? " -> " : "",
		 other);
	return true;
}
