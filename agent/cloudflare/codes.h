/* codes.h - Cloudflare's error codes: what class each is of (cloudflare/API.md, "Errors"). */
#ifndef ORIGIN_CA_CLOUDFLARE_CODES_H
#define ORIGIN_CA_CLOUDFLARE_CODES_H

#include "cloudflare/envelope.h"

/* Those that callers ask about. */
enum {
	CODE_DUPLICATES_REMOVED = 1006, /* a message, never a failure, wherever it stands */
	CODE_INVALID_HOSTNAME = 1010,
	CODE_ALREADY_REVOKED = 1014,
	CODE_EDIT_REFUSED = 1016,
	CODE_WRITE_FAILED = 1100,
	CODE_READ_FAILED = 1101,
	CODE_TOKEN_FORMAT = 6111, /* only in an error_chain, below 6003 */
};

struct code_rule {
	int code; /* 0: this is the rule of an HTTP status */
	enum error_class class;
	int result;	      /* negative errno */
	bool outcome_unknown; /* a POST may have been carried out all the same */
};

/* NULL for a code that we do not know, and for 1006 (a message, not a failure). */
const struct code_rule *code_rule_find(int code);

/* What to think of an answer that no known code explains. */
struct code_rule code_rule_of_status(int http_status);

/* What the administrator can do about `code` (0: none) and the status; nothing when nobody knows.
 */
void code_remedy(struct error *error, int code, const struct envelope_answer *answer);

#endif
