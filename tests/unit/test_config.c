/* STORE/daystream.conf: what is written is what is read, and what is wrong is named. */
#include "fixture.h"

#include "config.h"

static struct fixture f;
static int dirfd_;
static struct config config;

static int setup(void **state)
{
	(void)state;
	fixture_folder(&f);
	dirfd_ = open(f.path, O_RDONLY | O_DIRECTORY);
	return dirfd_ < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	config_fini(&config);
	close(dirfd_);
	nftw(f.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static int read_text(const char *text)
{
	config_fini(&config);
	f.err.text[0] = 0;
	fixture_write(&f, "daystream.conf", text, strlen(text));
	return config_read(&config, dirfd_, &f.err);
}

static void is_refused(const char *text, const char *line, const char *reason)
{
	assert_int_equal(read_text(text), -EINVAL);
	if (!strstr(f.err.text, line) || !strstr(f.err.text, reason))
		fail_msg("\"%s\" gives \"%s\", which does not say \"%s\" and \"%s\"", text, f.err.text, line, reason);
}

static void a_byte_order_mark_is_none_of_the_first_name(void **state)
{
	(void)state;
	assert_int_equal(read_text("\xef\xbb\xbf"
	                           "conninfo = 'a'\r\nslot = 'b'\r\n"),
	                 0);
	assert_string_equal(config.conninfo, "a");
	assert_string_equal(config.slot, "b");
	assert_int_equal(read_text("\xef\xbb\xbf"), -EINVAL);
}

static void what_is_written_is_read(void **state)
{
	static const char *const odd[] = {
	    "",
	    "host=localhost dbname=app",
	    "host='a b' password='it''s'",
	    "password=\\'\\\\\\",
	    "password=\"double\"",
	    "a'b\"c\\d",
	    "${HOME} $HOME `id` #no comment // neither /* nor this */",
	    "two\nlines\n",
	    "\n",
	    "ends with a backslash\\",
	    "backslash before a line's end \\\nhere",
	    "tabs\tand\rreturns",
	    "{braces} = , += (x)",
	    "\xc3\xa4\xe2\x82\xac\xff",
	    "postgresql://user:p%40ss@host:5432/db?options=-c%20geqo%3Doff",
	};

	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		struct config want = {.conninfo = (char *)(uintptr_t)odd[i],
		                      .slot = (char[]){"slot_1"},
		                      .tables = (char *)(uintptr_t)odd[(i + 3) % 15],
		                      .user = (char *)(uintptr_t)odd[(i + 6) % 15],
		                      .snapshot = i % 2 ? (char[]){"auto"} : (char[]){"off"},
		                      .segment_bytes = 4096 + i * 1000000007,
		                      .keep_days = i * 1000,
		                      .keep_bytes = i * 100000000000,
		                      .reserve_bytes = i * 1000003};
		works(config_write(&want, dirfd_, &f.err), f.err);
		works(config_read(&config, dirfd_, &f.err), f.err);
		assert_string_equal(config.conninfo, want.conninfo);
		assert_string_equal(config.slot, want.slot);
		assert_string_equal(config.tables, want.tables);
		assert_string_equal(config.snapshot, want.snapshot);
		assert_string_equal(config.user, want.user);
		assert_true(config.segment_bytes == want.segment_bytes);
		assert_true(config.keep_days == want.keep_days && config.keep_bytes == want.keep_bytes);
		assert_true(config.reserve_bytes == want.reserve_bytes);
		config_fini(&config);
	}
}

static struct config some_config(char *conninfo)
{
	static char slot[] = "s", tables[] = "", snapshot[] = "auto";

	return (struct config){
	    .conninfo = conninfo, .slot = slot, .tables = tables, .snapshot = snapshot, .segment_bytes = 4096};
}

static void a_long_conninfo_is_read(void **state)
{
	char *text = malloc(100001);

	(void)state;
	must(text);
	for (size_t i = 0; i < 100000; i++)
		text[i] = "'\\x y\n"[i % 6];
	text[100000] = 0;
	struct config want = some_config(text);
	works(config_write(&want, dirfd_, &f.err), f.err);
	works(config_read(&config, dirfd_, &f.err), f.err);
	assert_string_equal(config.conninfo, text);
	free(text);
}

static void only_the_owner_can_read_it(void **state)
{
	struct config want = some_config((char[]){"password=x"});
	char path[PATH_MAX];
	struct stat st;

	(void)state;
	fixture_write(&f, "daystream.conf.new", "", 0); /* as an interrupted one leaves it, with any rights */
	snprintf(path, sizeof path, "%s/daystream.conf.new", f.path);
	must(chmod(path, 0666) == 0);
	mode_t old = umask(0);
	works(config_write(&want, dirfd_, &f.err), f.err);
	umask(old);
	snprintf(path, sizeof path, "%s/daystream.conf", f.path);
	must(stat(path, &st) == 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void settings_have_defaults_and_comments(void **state)
{
	(void)state;
	works(read_text("conninfo = ''\n"), f.err);
	assert_string_equal(config.conninfo, "");
	assert_string_equal(config.slot, "daystream");
	assert_string_equal(config.tables, "");
	assert_true(config.segment_bytes == 268435456);
	assert_string_equal(config.snapshot, "auto");
	assert_true(config.keep_days == 0 && config.keep_bytes == 0);
	assert_true(config.reserve_bytes == 16 << 20);
	works(read_text("conninfo = ''\nkeep_days = 30\nkeep_bytes = 2.5e11\nsnapshot = off\n"), f.err);
	assert_true(config.keep_days == 30 && config.keep_bytes == 250000000000);
	assert_string_equal(config.snapshot, "off");
	works(read_text("conninfo = ''\nkeep_days = 010\n"), f.err);
	assert_int_equal(config.keep_days, 10);
	works(read_text("conninfo = ''\n# comment\n  slot = other # comment\n\nsegment_size = 1e6\n"), f.err);
	assert_string_equal(config.slot, "other");
	assert_true(config.segment_bytes == 1000000);
	works(read_text("slot = 'a#b' # 'c'\ntables = \"d\\\"#e\" # f\nconninfo = 'g\\'#h\n#i'\n"), f.err);
	assert_string_equal(config.slot, "a#b");
	assert_string_equal(config.tables, "d\"#e");
	assert_string_equal(config.conninfo, "g'#h\n#i");
	works(read_text("// don't\nconninfo = 'a#b'\n/* it's */ slot = 'c#d'\n"), f.err);
	assert_string_equal(config.conninfo, "a#b");
	assert_string_equal(config.slot, "c#d");
}

static void no_file_is_told_apart(void **state)
{
	(void)state;
	assert_int_equal(config_read(&config, dirfd_, &f.err), -ENOENT);
}

static void what_was_emptied_is_not_taken_for_defaults(void **state)
{
	static const char *const cut[] = {"", "\n", "# conninfo = ''\n", "slot = shop\nkeep_days = 7\n"};

	(void)state;
	for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
		is_refused(cut[i], "daystream.conf", "no line conninfo");
}

static void errors_name_the_line_and_the_reason(void **state)
{
	(void)state;
	is_refused("slot = a\nslto = b\n", "daystream.conf:2", "slto");
	is_refused("\n\nslot\n", "daystream.conf:", "");
	is_refused("slot = 'a\n", "daystream.conf:", "");
	is_refused("slot = a b\n", "daystream.conf:1", "b");
	is_refused("conninfo = host=db\n", "daystream.conf:1: unexpected token '='; text stands in quotes", "");
	is_refused("# one\n  # 'two\nslot = a # \"three\nslto = b\n", "daystream.conf:4: ", "slto");
	is_refused("slot = 'a\n# b'\nslto = b\n", "daystream.conf:3: ", "slto");
	is_refused("conninfo = {a}\n", "daystream.conf:1", "");
	is_refused("\nsegment_size = many\n", "daystream.conf:2", "segment_size");
}

static void a_segment_size_out_of_range_is_refused(void **state)
{
	static const char *const wrong[] = {"0", "-1", "4095", "1e16", "nan", "inf", "-inf", "1e999"};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char text[64];
		snprintf(text, sizeof text, "slot = a\nsegment_size = %s\n", wrong[i]);
		is_refused(text, "daystream.conf:2", "segment_size");
	}
	works(read_text("conninfo = ''\nsegment_size = 4096\n"), f.err);
	works(read_text("conninfo = ''\nsegment_size = 1e15\n"), f.err);
}

static void what_is_to_be_kept_is_a_number_of_days_and_of_bytes(void **state)
{
	static const char *const wrong[][2] = {
	    {"reserve_size = -1", "reserve_size"}, {"keep_days = -1", "keep_days"},
	    {"keep_days = a week", "keep_days"},   {"keep_days = 1e9", "keep_days"},
	    {"keep_days = 0.5", "keep_days"},      {"keep_bytes = -1", "keep_bytes"},
	    {"keep_bytes = nan", "keep_bytes"},    {"keep_bytes = 1e30", "keep_bytes"},
	    {"snapshot = yes", "snapshot"},        {"snapshot = ''", "snapshot"}};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char text[64];
		snprintf(text, sizeof text, "slot = a\n%s\n", wrong[i][0]);
		is_refused(text, "daystream.conf:2", wrong[i][1]);
	}
}

static void a_failed_write_leaves_what_was_there(void **state)
{
	struct config want = some_config((char[]){"old"});
	char path[PATH_MAX];

	(void)state;
	works(config_write(&want, dirfd_, &f.err), f.err);
	snprintf(path, sizeof path, "%s/daystream.conf.new", f.path);
	must(mkdir(path, 0700) == 0);
	want.conninfo = (char *)(uintptr_t) "new";
	assert_true(config_write(&want, dirfd_, &f.err) < 0);
	works(config_read(&config, dirfd_, &f.err), f.err);
	assert_string_equal(config.conninfo, "old");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_byte_order_mark_is_none_of_the_first_name),
	    TEST(what_is_written_is_read),
	    TEST(a_long_conninfo_is_read),
	    TEST(only_the_owner_can_read_it),
	    TEST(settings_have_defaults_and_comments),
	    TEST(no_file_is_told_apart),
	    TEST(what_was_emptied_is_not_taken_for_defaults),
	    TEST(errors_name_the_line_and_the_reason),
	    TEST(a_segment_size_out_of_range_is_refused),
	    TEST(what_is_to_be_kept_is_a_number_of_days_and_of_bytes),
	    TEST(a_failed_write_leaves_what_was_there),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
