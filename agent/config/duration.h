/* duration.h - "30d", "12h", "15m", "30s" and the like. */
#ifndef ORIGIN_CA_CONFIG_DURATION_H
#define ORIGIN_CA_CONFIG_DURATION_H

#include <stdint.h>

/* A whole number and one of s, m, h, d (a bare number is refused: its unit would be a guess).
 * -EINVAL when it is not that, -ERANGE above 100 years. */
int duration_parse(const char *text, int64_t *ret_seconds);

enum {
	DURATION_TEXT_SIZE = 32
};

/* For people, two units at most: "29 days", "1 day 4 h", "12 min", "30 s", "-3 h". */
const char *duration_format(int64_t seconds, char text[static DURATION_TEXT_SIZE]);

#endif
