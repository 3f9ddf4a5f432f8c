/* serial.c: the two forms of an id are one number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki/serial.h"

static void assert_serial(const char *id, const char *expected)
{
	char text[SERIAL_TEXT_SIZE];
	assert_int_equal(serial_read(id, text), expected != NULL);
	assert_string_equal(text, expected ? expected : "");
}

static void test_decimal_and_hexadecimal_are_one_number(void **state)
{
	(void)state;
	assert_serial("328577269970853365202411649186392175893065471946",
		      "328577269970853365202411649186392175893065471946");
	assert_serial("0x398dea13a5fb8a4f30ae8b96f3ffcf0e68eb97ca",
		      "328577269970853365202411649186392175893065471946");
	assert_serial("0X398DEA13A5FB8A4F30AE8B96F3FFCF0E68EB97CA",
		      "328577269970853365202411649186392175893065471946");
	assert_serial("0007", "7");
	assert_serial("0", "0");
	assert_serial("0x00", "0");
	/* The longest of both: 20 bytes. */
	assert_serial("0xffffffffffffffffffffffffffffffffffffffff",
		      "1461501637330902918203684832716283019655932542975");
	assert_serial("1461501637330902918203684832716283019655932542975",
		      "1461501637330902918203684832716283019655932542975");
}

static void test_what_is_no_id_is_none(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		NULL,
		"",
		"0x",
		"shop",
		"-1",
		"1 ",
		"0xg",
		"1e3",
		"../1",
		"14615016373309029182036848327162830196559325429750",
		"0xfffffffffffffffffffffffffffffffffffffffff",
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_serial(wrong[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decimal_and_hexadecimal_are_one_number),
		cmocka_unit_test(test_what_is_no_id_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
