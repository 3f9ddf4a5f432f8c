#include "tokens.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "identifier.h"

static const struct {
	const char *word;
	unsigned permissions;
} words[] = {
	{"all", PERMISSION_ALL},
	{"none", 0},
	{"ssl:read", PERMISSION_SSL_READ},
	{"ssl:edit", PERMISSION_SSL_READ | PERMISSION_SSL_EDIT},
	{"zone:read", PERMISSION_ZONE_READ},
	{"settings:read", PERMISSION_SETTINGS_READ},
	{"settings:edit", PERMISSION_SETTINGS_READ | PERMISSION_SETTINGS_EDIT},
	{"dns:read", PERMISSION_DNS_READ},
	{"rules:read", PERMISSION_RULES_READ},
	{"rules:edit", PERMISSION_RULES_READ | PERMISSION_RULES_EDIT},
	{"pagerules:read", PERMISSION_PAGERULES_READ},
};

static int permission_apply(struct token *token, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(word, words[i].word) == 0) {
			token->permissions |= words[i].permissions;
			return 1;
		}
	}
	return -EINVAL;
}

/* Returns 1 for a permission, 0 for another word. */
static int word_apply(struct token *token, const char *word)
{
	if (string_starts(word, "name=")) {
		free(token->name);
		token->name = string_copy(word + strlen("name="));
		return 0;
	}
	if (string_starts(word, "zone=")) {
		string_list_add(&token->zones, word + strlen("zone="));
		return 0;
	}
	if (strcmp(word, "status=disabled") == 0 || strcmp(word, "status=expired") == 0) {
		token->status = string_ends(word, "disabled") ? "disabled" : "expired";
		return 0;
	}
	return permission_apply(token, word);
}

static int words_apply(struct token *token, char *text, struct error *error)
{
	bool named = false;
	char *rest = NULL;
	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		int result = word_apply(token, word);
		if (result < 0)
			return error_set(error, ERROR_CONFIGURATION, result,
					 "unknown word \"%s\" after a token", word);
		named = named || result > 0;
	}
	if (!named)
		token->permissions = PERMISSION_ALL;
	return 0;
}

bool token_well_formed(const char *secret)
{
	size_t length = strlen(secret);
	for (const char *at = secret; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("-_.", *at))
			return false;
	return length >= TOKEN_LENGTH_LEAST && length <= TOKEN_LENGTH_MOST;
}

static void token_clear(struct token *token)
{
	secret_free(token->secret);
	free(token->name);
	string_list_free(&token->zones);
}

int tokens_add(struct tokens *tokens, const char *specification, struct error *error)
{
	size_t length = strcspn(specification, ":");
	struct token token = {
		.secret = string_copy_n(specification, length),
		.name = tokens->count == 0 ? string_copy("default")
					   : string_format("token-%zu", tokens->count + 1),
		.status = "active",
	};
	identifier_of("token", token.secret, token.id);

	CLEANUP(freep)
	char *rest = string_copy(specification[length] ? specification + length + 1 : "");
	int result = words_apply(&token, rest, error);
	if (result == 0 && !token_well_formed(token.secret))
		result = error_set(error, ERROR_CONFIGURATION, -EINVAL,
				   "a token has %d to %d of A-Z a-z 0-9 - _ .", TOKEN_LENGTH_LEAST,
				   TOKEN_LENGTH_MOST);
	if (result == 0 && tokens_find(tokens, token.secret))
		result = error_set(error, ERROR_CONFIGURATION, -EEXIST,
				   "token \"%s\" is given twice", token.name);
	if (result < 0) {
		token_clear(&token);
		return result;
	}
	tokens->items = memory_resize(tokens->items, tokens->count + 1, sizeof(token));
	tokens->items[tokens->count++] = token;
	return 0;
}

void tokens_free(struct tokens *tokens)
{
	for (size_t i = 0; i < tokens->count; i++)
		token_clear(&tokens->items[i]);
	free(tokens->items);
	*tokens = (struct tokens){0};
}

const struct token *tokens_find(const struct tokens *tokens, const char *secret)
{
	for (size_t i = 0; i < tokens->count; i++) {
		const char *own = tokens->items[i].secret;
		if (strlen(own) == strlen(secret) && CRYPTO_memcmp(own, secret, strlen(own)) == 0)
			return &tokens->items[i];
	}
	return NULL;
}

bool token_may(const struct token *token, unsigned permissions, const char *zone)
{
	if (!(token->permissions & permissions))
		return false;
	if (!zone || token->zones.count == 0)
		return true;
	for (size_t i = 0; i < token->zones.count; i++)
		if (strcasecmp(token->zones.items[i], zone) == 0)
			return true;
	return false;
}
