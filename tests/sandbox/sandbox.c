#include "sandbox.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "journal.h"

static const char token_start[] = "sandbox-token-";

static char *token_new(void)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	unsigned char bytes[TOKEN_LENGTH - sizeof(token_start) + 1];
	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		abort();
	char *token = string_format("%-*s", TOKEN_LENGTH, token_start);
	for (size_t i = 0; i < sizeof(bytes); i++)
		token[sizeof(token_start) - 1 + i] = letters[bytes[i] % (sizeof(letters) - 1)];
	return token;
}

/* The tokens of the command line, else the one that DIR/token keeps, else a new one. */
static int tokens_open(struct sandbox *sandbox, struct error *error)
{
	const char *where = sandbox->options.state_dir;
	for (size_t i = 0; i < sandbox->options.tokens.count; i++) {
		int result = tokens_add(&sandbox->tokens, sandbox->options.tokens.items[i], error);
		if (result < 0)
			return result;
	}
	if (sandbox->tokens.count == 0) {
		CLEANUP(buffer_wipe) struct buffer kept = BUFFER(256);
		CLEANUP(freep) char *fresh = NULL;
		if (file_read_at(sandbox->directory, where, "token", &kept, NULL) == 0) {
			fresh = buffer_take(&kept);
			fresh[strcspn(fresh, "\r\n")] = '\0';
		}
		if (!fresh || !token_well_formed(fresh)) {
			free(fresh);
			fresh = token_new();
		}
		int result = tokens_add(&sandbox->tokens, fresh, error);
		if (result < 0)
			return result;
	}
	CLEANUP(freep) char *line = string_format("%s\n", sandbox->tokens.items[0].secret);
	return file_write_at(sandbox->directory, where, "token", line, strlen(line),
			     &FILE_ACCESS(0600), FILE_NO_SYNC, error);
}

static int faults_open(struct sandbox *sandbox, struct error *error)
{
	const struct options *options = &sandbox->options;
	faults_init(&sandbox->faults);
	chaos_init(&sandbox->chaos, options->chaos, options->chaos_seed, options->chaos_rate);
	limit_init(&sandbox->limit, options->limit_requests, options->limit_seconds);
	for (size_t i = 0; i < options->faults.count; i++) {
		int result = faults_add(&sandbox->faults, options->faults.items[i], error);
		if (result < 0)
			return result;
	}
	return 0;
}

static int directory_open(struct sandbox *sandbox, struct error *error)
{
	struct options *options = &sandbox->options;
	if (options->state_dir[0] != '/') {
		char current[PATH_MAX];
		if (!getcwd(current, sizeof(current)))
			return error_errno(error, -errno, "cannot find the current directory");
		char *absolute = string_format("%s/%s", current, options->state_dir);
		free(options->state_dir);
		options->state_dir = absolute;
	}
	return directory_make_path(options->state_dir, &FILE_ACCESS(0755), &sandbox->directory,
				   error);
}

int sandbox_open(struct options *options, struct sandbox *sandbox, struct error *error)
{
	*sandbox = (struct sandbox){
		.options = *options, .directory = -1, .requests_fd = -1, .stop_fd = -1};
	*options = (struct options){0};
	sandbox->clock_offset = sandbox->options.clock_offset;
	identifier_of("account", "default", sandbox->account_id);

	int result = faults_open(sandbox, error);
	if (result == 0)
		result = directory_open(sandbox, error);
	const char *where = sandbox->options.state_dir;
	if (result == 0)
		result = authority_open(sandbox->directory, where, sandbox->options.root_expires,
					&sandbox->authority, error);
	if (result == 0)
		result = ledger_open(sandbox->directory, where, &sandbox->ledger, error);
	if (result == 0)
		result = zones_open(sandbox->directory, where, &sandbox->options.zones,
				    &sandbox->zones, error);
	if (result == 0)
		result = tokens_open(sandbox, error);
	if (result == 0)
		result = journal_open(sandbox->directory, where, "requests.jsonl", NULL, NULL,
				      &sandbox->requests_fd, error);
	if (result == 0) {
		sandbox->stop_fd = eventfd(0, EFD_CLOEXEC);
		if (sandbox->stop_fd < 0)
			result = error_errno(error, -errno, "cannot make an eventfd");
	}
	return result;
}

void sandbox_close(struct sandbox *sandbox)
{
	closep(&sandbox->stop_fd);
	closep(&sandbox->requests_fd);
	tokens_free(&sandbox->tokens);
	zones_free(&sandbox->zones);
	ledger_free(sandbox->ledger);
	authority_free(&sandbox->authority);
	closep(&sandbox->directory);
	limit_free(&sandbox->limit);
	chaos_free(&sandbox->chaos);
	faults_free(&sandbox->faults);
	options_free(&sandbox->options);
}

int64_t sandbox_now(const struct sandbox *sandbox)
{
	return clock_now() + sandbox->clock_offset;
}

static int text_write(const struct sandbox *sandbox, const char *name, const char *text,
		      struct error *error)
{
	return file_write_at(sandbox->directory, sandbox->options.state_dir, name, text,
			     strlen(text), &FILE_ACCESS(0644), FILE_NO_SYNC, error);
}

static void root_digest(const X509 *root, char text[static 65])
{
	unsigned char digest[EVP_MAX_MD_SIZE] = {0};
	unsigned length = 0;
	if (!X509_digest(root, EVP_sha256(), digest, &length))
		abort();
	for (size_t i = 0; i < 32; i++)
		snprintf(text + 2 * i, 3, "%02X", digest[i]);
}

int sandbox_announce(const struct sandbox *sandbox, const char *address, struct error *error)
{
	const char *where = sandbox->options.state_dir;
	char ecc[65];
	char rsa[65];
	char pull[65];
	root_digest(sandbox->authority.root[ALGORITHM_ECC], ecc);
	root_digest(sandbox->authority.root[ALGORITHM_RSA], rsa);
	root_digest(sandbox->authority.pull_ca, pull);

	CLEANUP(freep) char *endpoint = string_format("%s/client/v4\n", address);
	CLEANUP(freep)
	char *ini = string_format("; origin-ca-agent against this sandbox\n"
				  "[api]\n"
				  "endpoint = %s/client/v4\n"
				  "token_file = %s/token\n"
				  "ca_file = %s/ca.pem\n"
				  "root_url = %s/ssl/static\n"
				  "; origin_ca_ecc_root.pem, origin_ca_rsa_root.pem,\n"
				  "; authenticated_origin_pull_ca.pem\n"
				  "root_sha256 = %s\n"
				  "    %s\n"
				  "    %s\n",
				  address, where, where, address, ecc, rsa, pull);
	int result = text_write(sandbox, "endpoint", endpoint, error);
	return result < 0 ? result : text_write(sandbox, "agent.ini", ini, error);
}
