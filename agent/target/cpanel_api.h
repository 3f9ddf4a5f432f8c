/*
 * cpanel_api.h - one call of cPanel's UAPI (https://api.docs.cpanel.net/cpanel/introduction/):
 * HTTPS POST of a form to URL/execute/MODULE/FUNCTION, answered by an object with `status`,
 * `errors`, `messages` and `data`.
 */
#ifndef ORIGIN_CA_TARGET_CPANEL_API_H
#define ORIGIN_CA_TARGET_CPANEL_API_H

#include "base/buffer.h"
#include "base/json.h"
#include "target/remote.h"

enum {
	CPANEL_BODY_LIMIT = 8 << 20 /* bytes of an answer: an account may have many websites */
};

struct cpanel_api {
	const struct remote_order *order;
	char *what; /* "cPanel at host.example.net:2083", for messages */
	char *token;
	struct string_list headers; /* secret */
};

/* Reads the token; asks nobody. Free it with cpanel_api_close(). */
int cpanel_api_open(const struct remote_order *order, struct cpanel_api *ret_api,
		    struct error *error);
void cpanel_api_close(struct cpanel_api *api);

/*
 * `function`: "SSL/install_ssl"; `form`: its parameters, or NULL. ret_answer, to be freed with
 * cJSON_Delete(), is the whole answer, ret_data what is in it.
 *
 * Errors, in cPanel's own words: authorization for a token that is refused (-EACCES: 401, 403, or
 * the login page that cPanel shows to a stranger) and for what the account may not do; transient
 * for what passes; configuration for what is no cPanel (-EPROTO) and for a domain that the account
 * does not have (-EINVAL); deploy for a certificate that is refused (-EBADMSG).
 */
int cpanel_call(const struct cpanel_api *api, const char *function, const struct buffer *form,
		cJSON **ret_answer, const cJSON **ret_data, struct error *error);

#endif
