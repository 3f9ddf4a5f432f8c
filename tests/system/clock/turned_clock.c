/*
 * turned_clock.c - a host whose clock a test turns, for LD_PRELOAD.
 *
 * $TURNED_CLOCK names a file of two 64-bit numbers of this machine's byte order, seconds that are
 * added to the wall clock (CLOCK_REALTIME and its kin) and to CLOCK_BOOTTIME. Whoever writes both
 * lets time pass, also as a suspend does; who writes the first alone sets the clock. Timers that
 * wait for a moment of these clocks (timerfd_settime(2), TFD_TIMER_ABSTIME) wait for the turned
 * ones, and TFD_TIMER_CANCEL_ON_SET tells of a clock that was set, as the kernel does. File times,
 * CLOCK_MONOTONIC and relative timers are left alone; but with $TURNED_CLOCK_HURRY a process that
 * sleeps gets most of it for nothing: CLOCK_MONOTONIC goes on by it, for this process.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
	WALL,
	BOOT,
	CLOCKS,
	DESCRIPTORS = 1024,
	LOOK_NS = 10 * 1000 * 1000, /* between two looks whether the clock was turned */
	HURRY = 50,		    /* times */
};

struct timer {
	struct itimerspec virtual; /* that was asked for; armed when not 0 */
	clockid_t clock;
	int flags; /* of the last settime */
	bool used;
	bool cancelled;
};

static _Atomic int64_t *turned; /* [CLOCKS]; NULL: nothing is turned */
static struct timer timers[DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool watching;
static bool hurry;
static _Atomic int64_t slept_ns; /* for nothing */

enum {
	SECOND_NS = 1000 * 1000 * 1000
};

__attribute__((constructor)) static void turned_open(void)
{
	const char *path = getenv("TURNED_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *map = mmap(NULL, CLOCKS * sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (map != MAP_FAILED)
		turned = map;
	hurry = turned && getenv("TURNED_CLOCK_HURRY");
}

/* Seconds that a clock is turned by. */
static int64_t offset_of(clockid_t clock)
{
	if (!turned)
		return 0;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		return atomic_load(&turned[WALL]);
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return atomic_load(&turned[BOOT]);
	default:
		return 0;
	}
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, clock, now);
	if (result != 0)
		return result;
	now->tv_sec += offset_of(clock);
	if (clock == CLOCK_MONOTONIC && hurry) {
		int64_t nanoseconds = now->tv_nsec + atomic_load(&slept_ns);
		now->tv_sec += nanoseconds / SECOND_NS;
		now->tv_nsec = nanoseconds % SECOND_NS;
	}
	return 0;
}

int nanosleep(const struct timespec *time, struct timespec *rest)
{
	if (!hurry)
		return (int)syscall(SYS_nanosleep, time, rest);
	int64_t asked = time->tv_sec * SECOND_NS + time->tv_nsec;
	int64_t real = asked / HURRY;
	struct timespec short_time = {real / SECOND_NS, real % SECOND_NS};
	int result = (int)syscall(SYS_nanosleep, &short_time, rest);
	atomic_fetch_add(&slept_ns, asked - real);
	return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &precise);
	*now = (struct timeval){.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *ret_now)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (ret_now)
		*ret_now = now.tv_sec;
	return now.tv_sec;
}

/* --- timers */

static bool is_armed(const struct timer *timer)
{
	return timer->used && timer->flags & TFD_TIMER_ABSTIME &&
	       (timer->virtual.it_value.tv_sec || timer->virtual.it_value.tv_nsec);
}

/* Sets the kernel's timer to the real moment of the virtual one; `at_once`: it is over. */
static int arm(int fd, const struct timer *timer, bool at_once)
{
	struct itimerspec real = timer->virtual;
	if (is_armed(timer)) {
		real.it_value.tv_sec -= offset_of(timer->clock);
		if (real.it_value.tv_sec < 1 || at_once)
			real.it_value = (struct timespec){.tv_nsec = 1};
	}
	return (int)syscall(SYS_timerfd_settime, fd, timer->flags & TFD_TIMER_ABSTIME, &real, NULL);
}

static void *watch(void *context)
{
	int64_t wall = offset_of(CLOCK_REALTIME);
	int64_t boot = offset_of(CLOCK_BOOTTIME);
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	(void)context;
	for (;;) {
		syscall(SYS_nanosleep, &pause, NULL);
		if (offset_of(CLOCK_REALTIME) == wall && offset_of(CLOCK_BOOTTIME) == boot)
			continue;
		/* Both are written by now. */
		syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = LOOK_NS / 10}, NULL);
		int64_t wall_now = offset_of(CLOCK_REALTIME);
		int64_t boot_now = offset_of(CLOCK_BOOTTIME);
		bool set = wall_now - wall != boot_now - boot;
		wall = wall_now;
		boot = boot_now;
		pthread_mutex_lock(&lock);
		for (int fd = 0; fd < DESCRIPTORS; fd++) {
			struct timer *timer = &timers[fd];
			if (!is_armed(timer))
				continue;
			timer->cancelled |= set && timer->flags & TFD_TIMER_CANCEL_ON_SET;
			arm(fd, timer, timer->cancelled);
		}
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void watch_start(void)
{
	sigset_t all;
	sigset_t before;
	pthread_t thread;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	watching = pthread_create(&thread, NULL, watch, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (watching)
		pthread_detach(thread);
}

int timerfd_create(clockid_t clock, int flags)
{
	int fd = (int)syscall(SYS_timerfd_create, clock, flags);
	if (!turned || fd < 0 || fd >= DESCRIPTORS)
		return fd;
	pthread_once(&once, watch_start);
	pthread_mutex_lock(&lock);
	timers[fd] = (struct timer){.used = true, .clock = clock};
	pthread_mutex_unlock(&lock);
	return fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
	if (fd < 0 || fd >= DESCRIPTORS || !timers[fd].used || old)
		return (int)syscall(SYS_timerfd_settime, fd, flags, value, old);
	pthread_mutex_lock(&lock);
	struct timer *timer = &timers[fd];
	timer->flags = flags;
	timer->virtual = *value;
	timer->cancelled = false;
	int result = arm(fd, timer, false);
	pthread_mutex_unlock(&lock);
	return result;
}

ssize_t read(int fd, void *buffer, size_t size)
{
	bool cancelled = false;
	if (fd >= 0 && fd < DESCRIPTORS && timers[fd].used) {
		pthread_mutex_lock(&lock);
		cancelled = timers[fd].cancelled;
		timers[fd].cancelled = false;
		if (cancelled) /* it stays armed, for its own moment */
			arm(fd, &timers[fd], false);
		pthread_mutex_unlock(&lock);
	}
	if (!cancelled)
		return syscall(SYS_read, fd, buffer, size);
	errno = ECANCELED;
	return -1;
}

int close(int fd)
{
	if (fd >= 0 && fd < DESCRIPTORS && timers[fd].used) {
		pthread_mutex_lock(&lock);
		timers[fd].used = false;
		pthread_mutex_unlock(&lock);
	}
	return (int)syscall(SYS_close, fd);
}
