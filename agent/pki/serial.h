/* serial.h - the serial number of a certificate as text: what the API calls its id. */
#ifndef ORIGIN_CA_PKI_SERIAL_H
#define ORIGIN_CA_PKI_SERIAL_H

#include <stdbool.h>

enum {
	SERIAL_TEXT_SIZE = 64
};

/*
 * One text for one number: decimal digits without leading zeros, from up to 49 decimal digits or
 * from "0x" and up to 40 hexadecimal ones (older records of the API, cloudflare/API.md). False, and
 * "" in `text`, for anything else.
 */
bool serial_read(const char *id, char text[static SERIAL_TEXT_SIZE]);

#endif
