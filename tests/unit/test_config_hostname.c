/* hostname.c: what Cloudflare's Origin CA takes as a hostname. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/memory.h"
#include "config/hostname.h"

static void assert_becomes(const char *text, const char *expected)
{
	struct error error = {0};
	CLEANUP(freep) char *ascii = NULL;
	if (hostname_normalise(text, &ascii, &error) < 0)
		fail_msg("%s: %s", text, error.message);
	assert_string_equal(ascii, expected);
}

static void assert_refused(const char *text, const char *message, const char *remedy)
{
	struct error error = {0};
	char *ascii = NULL;
	assert_true(hostname_normalise(text, &ascii, &error) < 0);
	assert_null(ascii);
	assert_string_equal(error.message, message);
	assert_string_equal(error.remedy, remedy);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
}

static void test_ascii_is_lowered_and_loses_its_final_dot(void **state)
{
	(void)state;
	assert_becomes("example.com", "example.com");
	assert_becomes("WWW.Example.COM.", "www.example.com");
	assert_becomes("*.Example.com", "*.example.com");
	assert_becomes("a--b.0x.example", "a--b.0x.example");
	assert_becomes("xn--mnchen-3ya.example", "xn--mnchen-3ya.example");
}

static void test_unicode_becomes_alabels(void **state)
{
	(void)state;
	assert_becomes("münchen.example", "xn--mnchen-3ya.example");
	assert_becomes("MÜNCHEN.example", "xn--mnchen-3ya.example");
	assert_becomes("*.bücher.example.", "*.xn--bcher-kva.example");
	/* u and a combining diaeresis: the same name as one character. */
	assert_becomes("mu\u0308nchen.example", "xn--mnchen-3ya.example");
	/* Non-transitional: a sharp s is not "ss". */
	assert_becomes("straße.example", "xn--strae-oqa.example");
	/* The ideographic full stop separates labels, too. */
	assert_becomes("日本。example", "xn--wgv71a.example");
}

static void test_not_idna_is_refused_with_the_reason(void **state)
{
	(void)state;
	struct error error = {0};
	char *ascii = NULL;
	assert_true(hostname_normalise("\u2603\u200b\u0301.example", &ascii, &error) < 0);
	assert_non_null(strstr(error.message, "is not an internationalised name: "));
	assert_string_equal(error.remedy, "if it really exists, write its ASCII form (xn--...)");
	assert_true(hostname_normalise("m\xfcnchen.example", &ascii, &error) < 0);
	assert_null(ascii);
}

static void test_addresses_and_urls_are_refused_with_a_remedy(void **state)
{
	(void)state;
	const char *names = "Origin CA certificates are for hostnames only";
	assert_refused("192.0.2.1", "hostname \"192.0.2.1\" is an IP address", names);
	assert_refused("2001:db8::1", "hostname \"2001:db8::1\" is an IP address", names);
	assert_refused("[::1]", "hostname \"[::1]\" is an IP address", names);
	assert_refused("192.0.2.1.", "hostname \"192.0.2.1.\" ends in a number, like an IP address",
		       "");
	assert_refused("https://example.com/", "hostname \"https://example.com/\" holds a \"/\"",
		       "write the hostname alone, without scheme and path");
	assert_refused("example.com:443", "hostname \"example.com:443\" holds a \":\"",
		       "write the hostname alone, without a port");
	assert_refused(".example.com", "hostname \".example.com\" starts with a dot",
		       "for all names below it write \"*.example.com\"");
}

static void test_only_one_wildcard_and_only_leftmost(void **state)
{
	(void)state;
	const char *misplaced = "has a \"*\" that is not the whole leftmost label";
	static const char *const wrong[] = {"*.*.example.com", "www.*.example.com",
					    "w*.example.com", "*a.example.com", "example.*"};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CLEANUP(freep)
		char *message = string_format("hostname \"%s\" %s", wrong[i], misplaced);
		assert_refused(wrong[i], message, "");
	}
	assert_refused("*.com",
		       "hostname \"*.com\" needs at least two labels, as in \"example.com\"",
		       "write the full name, with its domain");
	assert_refused("localhost",
		       "hostname \"localhost\" needs at least two labels, as in \"example.com\"",
		       "write the full name, with its domain");
}

static void test_labels_follow_the_rules_of_dns(void **state)
{
	(void)state;
	assert_refused("", "a hostname is empty", "");
	assert_refused("a..example",
		       "hostname \"a..example\" has an empty label (two dots in a "
		       "row)",
		       "");
	assert_refused("-a.example",
		       "hostname \"-a.example\" has a label that starts or ends with \"-\"", "");
	assert_refused("a_b.example",
		       "hostname \"a_b.example\" has an underscore, which no certificate may hold",
		       "");
	assert_refused("a b.example",
		       "hostname \"a b.example\" holds a character that is not a letter, a digit, "
		       "\"-\" or \".\"",
		       "");

	char label[64 + sizeof(".example")];
	memset(label, 'a', 64);
	memcpy(label + 64, ".example", sizeof(".example"));
	assert_becomes(label + 1, label + 1);
	struct error error = {0};
	char *ascii = NULL;
	assert_true(hostname_normalise(label, &ascii, &error) < 0);
	assert_non_null(strstr(error.message, "has a label of more than 63 characters"));
}

static void test_253_characters_are_the_most(void **state)
{
	(void)state;
	char name[255];
	for (size_t i = 0; i < 254; i++)
		name[i] = i % 2 ? '.' : 'a';
	name[252] = 'b';
	name[253] = '\0';
	assert_becomes(name, name);
	name[253] = 'b';
	name[254] = '\0';
	struct error error = {0};
	char *ascii = NULL;
	assert_true(hostname_normalise(name, &ascii, &error) < 0);
	assert_non_null(strstr(error.message, "is longer than 253 characters"));

	CLEANUP(freep) char *huge = memory_alloc(100001, 1);
	memset(huge, 'a', 100000);
	assert_refused(huge, "a hostname is 100000 bytes long; at most 253 characters are allowed",
		       "");
}

static void test_a_wildcard_covers_exactly_one_label(void **state)
{
	(void)state;
	assert_true(hostname_covers("example.com", "example.com"));
	assert_true(hostname_covers("*.example.com", "www.example.com"));
	assert_true(hostname_covers("*.example.com", "*.example.com"));
	assert_false(hostname_covers("*.example.com", "example.com"));
	assert_false(hostname_covers("*.example.com", "a.b.example.com"));
	assert_false(hostname_covers("*.example.com", ".example.com"));
	assert_false(hostname_covers("*.example.com", "www.example.org"));
	assert_false(hostname_covers("*.example.com", "*.b.example.com"));
	assert_false(hostname_covers("*.b.example.com", "*.example.com"));
	assert_false(hostname_covers("www.example.com", "*.example.com"));
	/* "*" stands for a label, so it does not cover itself under a shorter pattern. */
	assert_false(hostname_covers("*.com", "*.example.com"));
	assert_false(hostname_covers("*.example.com", "example"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ascii_is_lowered_and_loses_its_final_dot),
		cmocka_unit_test(test_unicode_becomes_alabels),
		cmocka_unit_test(test_not_idna_is_refused_with_the_reason),
		cmocka_unit_test(test_addresses_and_urls_are_refused_with_a_remedy),
		cmocka_unit_test(test_only_one_wildcard_and_only_leftmost),
		cmocka_unit_test(test_labels_follow_the_rules_of_dns),
		cmocka_unit_test(test_253_characters_are_the_most),
		cmocka_unit_test(test_a_wildcard_covers_exactly_one_label),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
