/* Whether lines can be read, and where they end: by samples, and against three plain passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "sound.h"

static bool is_sound(const char *line, size_t len)
{
	bool sound;

	return sound_line(line, len, &sound) == len && sound;
}

static void only_what_can_be_read_is_sound(void **state)
{
	static const char *const good[] = {"_action\tx",
	                                   "a\t",
	                                   "a\t\\N",
	                                   "a\t\\N\tb\t1",
	                                   "a\\tb\t\\\\\\n\\r\\b\\f\\v",
	                                   "a\t\x01",
	                                   "a\t\xc3\xa9\xe2\x9c\x93\xf0\x9f\xa6\x8a",
	                                   "\t",
	                                   "a\t1234567\xc3\xa9"};
	static const char *const bad[] = {"",
	                                  "a",
	                                  "a\tb\tc",
	                                  "a\t\\",
	                                  "a\t\\q",
	                                  "a\t\\Nx",
	                                  "a\tx\\N",
	                                  "\\N\t1",
	                                  "a\tb\n",
	                                  "a\tb\r",
	                                  "a\t\x80",
	                                  "a\t\xc3",
	                                  "a\t\xc0\x80",
	                                  "a\t\xe0\x80\x80",
	                                  "a\t\xed\xa0\x80",
	                                  "a\t\xf4\x90\x80\x80",
	                                  "a\t\xf8\x88\x80\x80\x80",
	                                  "a\t12345678\xff"};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!is_sound(good[i], strlen(good[i])))
			fail_msg("\"%s\" is sound", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (is_sound(bad[i], strlen(bad[i])))
			fail_msg("\"%s\" is not sound", bad[i]);
	assert_false(is_sound("a\tb\0c", 5));
}

/* One byte after the other, and once more for each rule. */
static bool naive_sound(const char *line, size_t len)
{
	size_t tabs = 0;

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\t')
			tabs++;
		else if (line[i] != 0 && strchr("\n\r\b\f\v", line[i]))
			return false;
		if (line[i] != '\\')
			continue;
		if (++i == len)
			return false;
		bool null =
		    line[i] == 'N' && tabs % 2 == 1 && line[i - 2] == '\t' && (i + 1 == len || line[i + 1] == '\t');
		if (!null && (line[i] == 0 || !strchr("\\tnrbfv", line[i])))
			return false;
	}
	return tabs % 2 == 1 && !memchr(line, 0, len) && line_utf8_len(line, len) == len;
}

/* Mostly plain, so that whole blocks are. */
static size_t random_text(char *text, size_t most)
{
	static const char *const pieces[] = {"\t",   "\n",       "\\N",  "\\t",          "\\\\",
	                                     "\\",   "\xc3\xa9", "\xc3", "\xe2\x9c\x93", "\xf0\x9f\xa6\x8a",
	                                     "\xa9", "\r",       "\x01", "\t\\N\t"};
	size_t len = 0;
	int odds = 1 << rand() % 7;

	while (len + 4 < most) {
		if (rand() % odds) {
			text[len++] = (char)('a' + rand() % 26);
			continue;
		}
		size_t which = (size_t)rand() % (sizeof pieces / sizeof *pieces + 2);
		if (which >= sizeof pieces / sizeof *pieces) {
			text[len++] = which % 2 ? '\t' : (char)rand();
			continue;
		}
		memcpy(text + len, pieces[which], strlen(pieces[which]));
		len += strlen(pieces[which]);
	}
	return len;
}

static void one_pass_finds_what_many_find(void **state)
{
	size_t sounds = 0;

	(void)state;
	srand(7);
	for (int i = 0; i < 300000; i++) {
		char text[160];
		size_t len = random_text(text, 5 + (size_t)rand() % (sizeof text - 5));
		char *exact = malloc(len ? len : 1); /* a sanitizer sees what is read behind it */
		assert_non_null(exact);
		memcpy(exact, text, len);
		const char *newline = memchr(exact, '\n', len);
		size_t line_len = newline ? (size_t)(newline - exact) : len;
		bool sound, expected = naive_sound(exact, line_len);
		assert_int_equal(sound_line(exact, len, &sound), line_len);
		assert_int_equal(sound, expected);
		sounds += expected;
		free(exact);
	}
	assert_in_range(sounds, 10000, 290000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_can_be_read_is_sound),
	    cmocka_unit_test(one_pass_finds_what_many_find),
	};

	return cmocka_run_group_tests_name("sound", tests, NULL, NULL);
}
