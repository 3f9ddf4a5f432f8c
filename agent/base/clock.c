#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t fixed_now = -1;

int64_t clock_now(void)
{
	if (fixed_now >= 0)
		return fixed_now;

	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

void clock_fix(int64_t now)
{
	fixed_now = now;
}

int64_t clock_monotonic_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_since_boot(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

void clock_sleep_ms(int64_t milliseconds)
{
	if (milliseconds <= 0)
		return;
	struct timespec delay = {
		.tv_sec = milliseconds / 1000,
		.tv_nsec = (milliseconds % 1000) * 1000000,
	};
	nanosleep(&delay, NULL);
}

const char *clock_format(int64_t time, char text[static CLOCK_TEXT_SIZE])
{
	time_t seconds = (time_t)time;
	struct tm utc;

	if (!gmtime_r(&seconds, &utc))
		utc = (struct tm){.tm_year = 70, .tm_mday = 1};
	strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return text;
}

/* "Z", "z", "+hh:mm", "-hhmm" or " +0000 UTC"; gives seconds east of UTC. */
static int parse_zone(const char *text, int64_t *ret_offset)
{
	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
		*ret_offset = 0;
		return 0;
	}
	while (*text == ' ')
		text++;
	char sign = 0;
	int hours = 0;
	int minutes = 0;
	int used = 0;
	if (sscanf(text, "%c%2d%n", &sign, &hours, &used) < 2 || (sign != '+' && sign != '-'))
		return -EINVAL;
	text += used;
	if (*text == ':')
		text++;
	if (sscanf(text, "%2d%n", &minutes, &used) < 1)
		return -EINVAL;
	text += used;
	if (*text != '\0' && strcmp(text, " UTC") != 0)
		return -EINVAL;
	*ret_offset = (sign == '-' ? -1 : 1) * (hours * CLOCK_HOUR + minutes * CLOCK_MINUTE);
	return 0;
}

int clock_parse(const char *text, int64_t *ret_time)
{
	struct tm utc = {0};
	int used = 0;
	char separator = 0;

	if (!text || strlen(text) > 64 ||
	    sscanf(text, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &utc.tm_year, &utc.tm_mon, &utc.tm_mday,
		   &separator, &utc.tm_hour, &utc.tm_min, &utc.tm_sec, &used) < 7)
		return -EINVAL;
	if (!strchr("Tt ", separator) || utc.tm_mon < 1 || utc.tm_mon > 12 || utc.tm_mday < 1 ||
	    utc.tm_mday > 31 || utc.tm_hour > 23 || utc.tm_min > 59 || utc.tm_sec > 60)
		return -EINVAL;
	text += used;
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");

	int64_t offset = 0;
	if (parse_zone(text, &offset) < 0)
		return -EINVAL;
	utc.tm_year -= 1900;
	utc.tm_mon -= 1;
	*ret_time = (int64_t)timegm(&utc) - offset;
	return 0;
}
