/*
 * manager.h - Tomcat's manager, text interface: "Reload TLS Configuration"
 * (https://tomcat.apache.org/tomcat-10.1-doc/manager-howto.html).
 */
#ifndef ORIGIN_CA_TARGET_MANAGER_H
#define ORIGIN_CA_TARGET_MANAGER_H

#include "base/error.h"
#include "config/model.h"

enum {
	MANAGER_BODY_LIMIT = 64 << 10, /* bytes of an answer that are read */
};

/*
 * GET MANAGER_URL/text/sslReload: all TLS virtual hosts read their keystores again. Credentials
 * come from target->manager_credentials_file ("USER:PASSWORD", first line; refused when others may
 * read the file) and never stand in a message or an address. No redirects, no proxy. Bounded by
 * `timeout_ms` as a whole.
 *
 * Success is only an answer 200 whose body starts with "OK -". Errors, with Tomcat's own words
 * (the body's first line, or the cause on its error page, cut and free of control characters) and a
 * remedy: configuration for a credentials file that cannot be used (what the system says, -EPERM
 * for its mode, -EINVAL, -EFBIG), for 404 (no manager there: -ENOENT) and for a certificate of the
 * manager's that cannot be verified (-EPROTO); authorization for 401 and 403 (-EACCES, naming the
 * role manager-script); deploy for "FAIL - ..." and for 500 (-EBADMSG: refused; Tomcat 10.1 gives
 * 500 and an HTML page when a keystore cannot be read, and goes on with what it had), for anything
 * else that is no answer of a manager (-EPROTO), -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH (a name
 * that does not resolve).
 */
int manager_ssl_reload(const struct config_target *target, int64_t timeout_ms, struct error *error);

#endif
