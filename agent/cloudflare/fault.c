#include "cloudflare/fault.h"

#include <errno.h>
#include <openssl/x509_vfy.h>

#include "base/clock.h"
#include "cloudflare/client.h"
#include "cloudflare/envelope.h"

static bool dates_are_wrong(const struct fault *fault)
{
	return fault->verify_result == X509_V_ERR_CERT_NOT_YET_VALID ||
	       fault->verify_result == X509_V_ERR_CERT_HAS_EXPIRED;
}

static bool proxy_refused(const struct fault *fault)
{
	return !fault->sent && fault->proxy_status >= 300;
}

static enum error_class fault_class(const struct fault *fault)
{
	switch (fault->code) {
	case CURLE_OUT_OF_MEMORY:
		return ERROR_LOCAL;
	case CURLE_PEER_FAILED_VERIFICATION:
		return dates_are_wrong(fault) ? ERROR_TRANSIENT : ERROR_CONFIGURATION;
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
		/* HTTP/0.9 is "unsupported" as well, after the request was sent. */
		return fault->sent ? ERROR_TRANSIENT : ERROR_CONFIGURATION;
	default:
		/* 5xx of a proxy is its trouble with the way, 4xx its opinion of us. */
		return proxy_refused(fault) && fault->proxy_status < 500 ? ERROR_CONFIGURATION
									 : ERROR_TRANSIENT;
	}
}

static int fault_result(const struct fault *fault)
{
	switch (fault->code) {
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return -EACCES;
	default:
		return fault->sent ? -ECONNRESET : -EIO;
	}
}

static void fault_words(const struct fault *fault, struct buffer *words)
{
	if (fault->too_large)
		buffer_add_format(words, "the answer is larger than %d bytes (or its headers are)",
				  CLIENT_BODY_LIMIT);
	else if (fault->repeated)
		buffer_add_text(words, "the connection ended before an answer came");
	else
		text_add_clean(words,
			       fault->words[0] ? fault->words : curl_easy_strerror(fault->code),
			       300, NULL);
}

static void fault_remedy(const struct fault *fault, struct error *error)
{
	if (proxy_refused(fault)) {
		error_remedy(error, "the proxy refused: check `proxy =` in [api] (or HTTPS_PROXY), "
				    "its credentials, and that it lets this host reach the API");
		return;
	}
	switch (fault->code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		error_remedy(error, "check the DNS of this host, and `endpoint =` in [api]");
		break;
	case CURLE_COULDNT_RESOLVE_PROXY:
		error_remedy(error, "check `proxy =` in [api] (or HTTPS_PROXY)");
		break;
	case CURLE_COULDNT_CONNECT:
		error_remedy(error, "check that this host may reach the API's port 443 (firewall, "
				    "`proxy =` in [api])");
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		if (dates_are_wrong(fault))
			error_remedy(error,
				     "check the clock of this host: timedatectl set-ntp true, or "
				     "chronyc makestep where chrony runs");
		else
			error_remedy(error, "check that nothing between here and the API replaces "
					    "its certificate; where a proxy does so on purpose, "
					    "name its CA with `ca_file =` in [api]");
		break;
	case CURLE_SSL_CACERT_BADFILE:
		error_remedy(error, "check `ca_file =` in [api], or install ca-certificates");
		break;
	default:
		break;
	}
}

int fault_error(const struct fault *fault, struct error *error)
{
	struct buffer words = BUFFER(ERROR_MESSAGE_SIZE);
	bool unknown = fault->sent && !method_repeatable(fault->method);

	fault_words(fault, &words);
	/* Years off, and this is all that is seen of it. */
	char now[CLOCK_TEXT_SIZE];
	if (fault->code == CURLE_PEER_FAILED_VERIFICATION && dates_are_wrong(fault))
		buffer_add_format(&words, "; by this host's clock it is %s",
				  clock_format(clock_now(), now));
	int result = error_set(error, fault_class(fault), fault_result(fault), "%s %.160s: %s%s",
			       fault->method, fault->path, buffer_text(&words),
			       unknown ? " (it may have been carried out)" : "");
	buffer_free(&words);
	if (error)
		error->outcome_unknown = unknown;
	fault_remedy(fault, error);
	return result;
}
