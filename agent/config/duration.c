#include "config/duration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"

enum {
	MOST_DAYS = 36525 /* 100 years */
};

static int64_t unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return CLOCK_MINUTE;
	case 'h':
		return CLOCK_HOUR;
	case 'd':
		return CLOCK_DAY;
	default:
		return 0;
	}
}

int duration_parse(const char *text, int64_t *ret_seconds)
{
	const int64_t most = MOST_DAYS * CLOCK_DAY;
	int64_t number = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++)
		if (number <= most) /* no more digits can make it fit again */
			number = number * 10 + (*at - '0');
	int64_t unit = unit_seconds(*at);
	if (at == text || unit == 0 || at[1] != '\0')
		return -EINVAL;
	if (number > most / unit)
		return -ERANGE;
	*ret_seconds = number * unit;
	return 0;
}

const char *duration_format(int64_t seconds, char text[static DURATION_TEXT_SIZE])
{
	const char *sign = seconds < 0 ? "-" : "";
	/* Through unsigned: -INT64_MIN does not exist. */
	uint64_t rest = seconds < 0 ? 0 - (uint64_t)seconds : (uint64_t)seconds;
	uint64_t days = rest / (uint64_t)CLOCK_DAY;
	uint64_t hours = rest / (uint64_t)CLOCK_HOUR % 24;
	uint64_t minutes = rest / (uint64_t)CLOCK_MINUTE % 60;

	const char *large = "s";
	const char *small = "";
	uint64_t large_count = rest;
	uint64_t small_count = 0;
	if (days > 0) {
		large = days == 1 ? "day" : "days";
		large_count = days;
		small = "h";
		/* Nobody plans by the hour what is weeks away. */
		small_count = days < 10 ? hours : 0;
	} else if (hours > 0) {
		large = "h";
		large_count = hours;
		small = "min";
		small_count = minutes;
	} else if (minutes > 0) {
		large = "min";
		large_count = minutes;
		small = "s";
		small_count = rest % 60;
	}

	if (small_count > 0)
		snprintf(text, DURATION_TEXT_SIZE, "%s%" PRIu64 " %s %" PRIu64 " %s", sign,
			 large_count, large, small_count, small);
	else
		snprintf(text, DURATION_TEXT_SIZE, "%s%" PRIu64 " %s", sign, large_count, large);
	return text;
}
