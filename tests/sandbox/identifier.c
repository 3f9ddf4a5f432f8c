#include "identifier.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static void hex(const unsigned char *bytes, char identifier[static IDENTIFIER_SIZE])
{
	for (size_t i = 0; i < (IDENTIFIER_SIZE - 1) / 2; i++)
		snprintf(identifier + 2 * i, 3, "%02x", bytes[i]);
}

void identifier_of(const char *kind, const char *name, char identifier[static IDENTIFIER_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE] = {0};
	CLEANUP(freep) char *text = string_format("origin-ca-sandbox %s %s", kind, name);
	if (!EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL))
		abort();
	hex(digest, identifier);
}

void identifier_random(char identifier[static IDENTIFIER_SIZE])
{
	unsigned char bytes[(IDENTIFIER_SIZE - 1) / 2];
	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		abort();
	hex(bytes, identifier);
}

bool identifier_valid(const char *text)
{
	return strlen(text) == IDENTIFIER_SIZE - 1 &&
	       strspn(text, "0123456789abcdef") == IDENTIFIER_SIZE - 1;
}
