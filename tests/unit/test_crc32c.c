/* The checksum is CRC-32C as RFC 3720 (iSCSI) defines it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crc32c.h"

static void the_check_value_is_right(void **state)
{
	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
}

static void the_vectors_of_rfc_3720_are_right(void **state)
{
	unsigned char bytes[32];

	(void)state;
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = 0;
	assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = 0xff;
	assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (unsigned char)i;
	assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (unsigned char)(31 - i);
	assert_int_equal(crc32c(0, bytes, 32), 0x113fdb5c);
}

static void nothing_has_the_checksum_0(void **state)
{
	(void)state;
	assert_int_equal(crc32c(0, "", 0), 0);
	assert_int_equal(crc32c(0xe3069283, "", 0), 0xe3069283);
}

static void pieces_give_the_checksum_of_the_whole(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= 9; cut++)
		assert_int_equal(crc32c(crc32c(0, "123456789", cut), &"123456789"[cut], 9 - cut), 0xe3069283);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_check_value_is_right),
	    cmocka_unit_test(the_vectors_of_rfc_3720_are_right),
	    cmocka_unit_test(nothing_has_the_checksum_0),
	    cmocka_unit_test(pieces_give_the_checksum_of_the_whole),
	};

	return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
