#include "pki/serial.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum {
	DECIMAL_DIGITS = 49, /* of 20 bytes (RFC 5280, 4.1.2.2) */
	HEX_DIGITS = 40,
};

static bool hex_read(const char *digits, char text[static SERIAL_TEXT_SIZE])
{
	size_t length = strnlen(digits, HEX_DIGITS + 1);
	if (length == 0 || length > HEX_DIGITS ||
	    strspn(digits, "0123456789abcdefABCDEF") != length)
		return false;
	BIGNUM *number = NULL;
	char *decimal = BN_hex2bn(&number, digits) ? BN_bn2dec(number) : NULL;
	if (decimal)
		snprintf(text, SERIAL_TEXT_SIZE, "%s", decimal);
	OPENSSL_free(decimal);
	BN_free(number);
	return text[0] != '\0';
}

bool serial_read(const char *id, char text[static SERIAL_TEXT_SIZE])
{
	text[0] = '\0';
	if (!id)
		return false;
	if (string_starts(id, "0x") || string_starts(id, "0X"))
		return hex_read(id + 2, text);
	size_t length = strnlen(id, DECIMAL_DIGITS + 1);
	if (length == 0 || length > DECIMAL_DIGITS || strspn(id, "0123456789") != length)
		return false;
	id += strspn(id, "0");
	snprintf(text, SERIAL_TEXT_SIZE, "%s", id[0] ? id : "0");
	return true;
}
