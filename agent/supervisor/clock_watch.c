/* The wall clock was set: what was planned by it is looked at anew. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/duration.h"
#include "supervisor/supervisor.h"

enum {
	STEP_LEAST = 60, /* seconds: what time synchronisation does every day moves no renewal */
	LOOK_AFTER = 5,	 /* seconds: a clock is often set more than once when it is set */
};

/* Changes when somebody sets the clock, and neither as time passes nor in a suspend. */
static int64_t difference(void)
{
	return clock_now() - clock_since_boot();
}

/* A timer that never runs out, and is cancelled by whoever sets the clock (timerfd_create(2)). */
static int arm(int fd)
{
	static const struct itimerspec never = {.it_value = {.tv_sec = INT32_MAX * INT64_C(64)}};
	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0
		       ? -errno
		       : 0;
}

static int on_set(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct supervisor *supervisor = context;
	uint64_t expirations = 0;
	char step[DURATION_TEXT_SIZE];
	(void)source;
	(void)events;

	if (read(fd, &expirations, sizeof(expirations)) < 0 && errno == EAGAIN)
		return 0;
	int result = arm(fd);
	if (result < 0)
		log_warning("the clock is not watched any more: %s", strerror(-result));
	int64_t now = difference();
	int64_t moved = now - supervisor->clock_difference;
	supervisor->clock_difference = now;
	if (llabs(moved) < STEP_LEAST)
		return result;
	log_notice("the clock was set %s by %s; looking anew at what is due",
		   moved > 0 ? "forward" : "back", duration_format(llabs(moved), step));
	if (supervisor->pass) {
		supervisor->again = true;
		return result;
	}
	int scheduled = supervisor_schedule(supervisor, clock_now() + LOOK_AFTER,
					    "The clock was set; looking anew soon");
	return scheduled < 0 ? scheduled : result;
}

int supervisor_clock_watch(struct supervisor *supervisor)
{
	CLEANUP(closep)
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	supervisor->clock_difference = difference();
	int result = arm(fd);
	if (result == 0)
		result = sd_event_add_io(supervisor->event, &supervisor->clock_set, fd, EPOLLIN,
					 on_set, supervisor);
	if (result < 0)
		return result;
	sd_event_source_set_io_fd_own(supervisor->clock_set, true);
	(void)TAKE_FD(fd);
	return 0;
}
