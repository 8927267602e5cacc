/* Lines are read from something that looks like a mount, and checked. */
#include "test_mirror_stream.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#include "follow.h"

struct place {
	char dir[40];
	struct stream stream;
	struct follow_source source;
	struct follow *follow;
	struct follow_line line;
	struct err err;
};

static int place_setup(void **state)
{
	struct place *place = calloc(1, sizeof *place);

	folder_make(place->dir);
	place->source.mount = place->dir;
	stream_init(&place->stream, 1507507200);
	stream_origin(&place->stream, 1);
	stream_line(&place->stream, "_table\tt\t_xid\t700\t_action\tinsert\ta\t1");
	stream_commit(&place->stream);
	*state = place;
	return 0;
}

static int place_teardown(void **state)
{
	struct place *place = *state;

	follow_close(place->follow);
	stream_fini(&place->stream);
	folder_remove(place->dir);
	free(place);
	return 0;
}

static void publish(struct place *place, const char *name)
{
	folder_write(place->dir, name, place->stream.text, place->stream.len);
}

static void open_live(struct place *place)
{
	follow_close(place->follow);
	if (follow_open(&place->follow, &place->source, NULL, &place->err) < 0)
		fail_msg("%s", place->err.text);
}

static int next(struct place *place)
{
	return follow_next(place->follow, &place->line, &place->err);
}

/* Reads to the end or to an error, and returns that. */
static int read_all(struct place *place, unsigned *lines)
{
	int rc;

	for (*lines = 0; (rc = next(place)) == 1;)
		++*lines;
	return rc;
}

static void says(const struct place *place, const char *reason)
{
	if (!strstr(place->err.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", place->err.text, reason);
}

static void lines_come_whole_and_in_order(void **state)
{
	struct place *p = *state;

	publish(p, "live");
	open_live(p);
	assert_int_equal(next(p), 1);
	assert_true(span_is(p->line.head.action, "origin"));
	assert_int_equal(next(p), 1);
	assert_true(span_is(p->line.head.table, "t"));
	assert_false(p->line.commit);
	assert_int_equal(next(p), 1);
	assert_true(p->line.commit);
	assert_int_equal(follow_position(p->follow).seq, 2);
	assert_int_equal(next(p), 0);
	assert_int_equal(next(p), 0);
}

static void what_comes_later_is_read_later(void **state)
{
	struct place *p = *state;
	unsigned lines;

	publish(p, "live");
	open_live(p);
	assert_int_equal(read_all(p, &lines), 0);
	assert_int_equal(lines, 3);
	stream_line(&p->stream, "_table\tt\t_xid\t701\t_action\tdelete\ta\t1");
	size_t cut = p->stream.len - 5;
	folder_write(p->dir, "live", p->stream.text, cut);
	assert_int_equal(read_all(p, &lines), 0);
	assert_int_equal(lines, 0);
	assert_true(follow_in_line(p->follow));
	stream_commit(&p->stream);
	publish(p, "live");
	assert_int_equal(read_all(p, &lines), 0);
	assert_int_equal(lines, 2);
	assert_true(p->line.commit);
	assert_false(follow_in_line(p->follow));
}

static void after_a_position_the_stream_is_opened_there(void **state)
{
	struct place *p = *state;
	struct position after = {1507507200, 2}, other = {1507507200, 1};
	unsigned lines;

	publish(p, "live");
	size_t before = p->stream.len;
	stream_line(&p->stream, "_table\tt\t_xid\t701\t_action\tdelete\ta\t1");
	stream_commit(&p->stream);
	folder_write(p->dir, "since/1507507200/3/live", p->stream.text + before, p->stream.len - before);
	assert_int_equal(follow_open(&p->follow, &p->source, &after, &p->err), 0);
	assert_int_equal(read_all(p, &lines), 0);
	assert_int_equal(lines, 2);
	follow_close(p->follow);

	/* The same where lines are missing in between. */
	folder_write(p->dir, "since/1507507200/2/live", "_c\t1507507200\t_s\t3\t_action\tx\n", 29);
	assert_int_equal(follow_open(&p->follow, &p->source, &other, &p->err), 0);
	assert_int_equal(next(p), -EBADMSG);
	says(p, "after 1507507200.1: the stream goes on at 1507507200.3");
}

static void a_position_that_was_given_up_is_told_from_a_mount_that_is_away(void **state)
{
	struct place *p = *state;
	struct position old = {1507507100, 5};

	assert_int_equal(follow_open(&p->follow, &p->source, NULL, &p->err), -ENOTCONN);
	assert_int_equal(follow_open(&p->follow, &p->source, &old, &p->err), -ENOTCONN);
	publish(p, "live");
	assert_int_equal(follow_open(&p->follow, &p->source, &old, &p->err), -ESTALE);
	says(p, "after 1507507100.5 is no longer retained");
	struct position later = {1507507200, 1};
	assert_int_equal(follow_open(&p->follow, &p->source, &later, &p->err), -ENOTCONN);
}

static void another_stream_at_the_same_place_is_recognized(void **state)
{
	struct place *p = *state;
	struct position commit = {1507507200, 2};
	const char *last = strstr(p->stream.text, "_c\t1507507200\t_s\t2");

	assert_int_equal(follow_recognize(&p->source, commit, "0/2BC0", &p->err), 0);
	folder_write(p->dir, "by-time/1507507200/1", "x", 1);
	assert_int_equal(follow_recognize(&p->source, commit, "0/2BC0", &p->err), -ESTALE);
	says(p, "has no line 1507507200.2");
	folder_write(p->dir, "by-time/1507507200/2", last, strlen(last));
	assert_int_equal(follow_recognize(&p->source, commit, "0/2BC0", &p->err), 0);
	assert_int_equal(follow_recognize(&p->source, commit, "0/2BC8", &p->err), -ESTALE);
	says(p, "another stream");
	folder_write(p->dir, "by-time/1507507200/2", "_c\t1507507200\t_s\t2\t_action\tx\n", 29);
	assert_int_equal(follow_recognize(&p->source, commit, "0/2BC0", &p->err), -ESTALE);
}

/* What comes as soon as it is asked whether the mount is there: a daemon that was away. */
static struct place *comes;

int stat(const char *path, struct stat *st)
{
	if (comes && strstr(path, "by-time")) {
		const char *last = strstr(comes->stream.text, "_c\t1507507200\t_s\t2");
		folder_write(comes->dir, "by-time/1507507200/2", last, strlen(last));
		comes = NULL;
	}
	return fstatat(AT_FDCWD, path, st, 0);
}

static void a_mount_that_comes_back_just_now_is_not_another_stream(void **state)
{
	struct place *p = *state;
	struct position commit = {1507507200, 2};

	comes = p;
	assert_int_equal(follow_recognize(&p->source, commit, "0/2BC0", &p->err), 0);
	assert_null(comes);
	assert_int_equal(follow_recognize(&p->source, (struct position){1507507200, 3}, "0/2BC0", &p->err), -ESTALE);
}

static void any_byte_that_is_not_right_is_noticed(void **state)
{
	struct place *p = *state;
	char *bytes = malloc(p->stream.len);
	unsigned lines;

	for (size_t i = 0; i < p->stream.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(bytes, p->stream.text, p->stream.len);
			bytes[i] = (char)(bytes[i] ^ 1 << bit);
			folder_write(p->dir, "live", bytes, p->stream.len);
			open_live(p);
			int rc = read_all(p, &lines);
			/* Without the last line's end, it has not come yet. A commit line that is
			 * none any more ends no transaction. */
			if (rc == 0 && i + 1 < p->stream.len && p->line.commit)
				fail_msg("byte %zu, bit %d", i, bit);
		}
	free(bytes);
}

static void zeros_and_lines_that_are_none_are_refused(void **state)
{
	struct place *p = *state;
	static const char zeros[64];
	unsigned lines;

	publish(p, "live");
	stream_bytes(&p->stream, zeros, sizeof zeros);
	publish(p, "live");
	open_live(p);
	assert_int_equal(read_all(p, &lines), -EBADMSG);
	assert_int_equal(lines, 3);
	says(p, "zeros");

	static const char *const bad[] = {"\n", "hello\n", "_c\t1507507200\t_s\t3\n", "_action\tcommit\n",
	                                  "_c\t1507507201\t_s\t0\t_xid\t1\t_action\tcommit\tlsn\t0/1\n"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		folder_write(p->dir, "live", bad[i], strlen(bad[i]));
		open_live(p);
		assert_int_equal(next(p), -EBADMSG);
	}
}

static void a_line_may_be_longer_than_any_buffer(void **state)
{
	struct place *p = *state;
	size_t long_len = 9 << 20;
	char *body = malloc(long_len + 100);
	unsigned lines;

	for (int i = 0; i < 3; i++) {
		int n = sprintf(body, "_table\tt\t_xid\t701\t_action\tinsert\ta\t");
		memset(body + n, 'x', long_len);
		body[(size_t)n + (i == 1 ? 10 : long_len)] = 0;
		stream_line(&p->stream, body);
	}
	stream_commit(&p->stream);
	publish(p, "live");
	open_live(p);
	assert_int_equal(read_all(p, &lines), 0);
	assert_int_equal(lines, 7);
	assert_true(p->line.commit);
	free(body);
}

/* What a mount shows directly after the last line that was read. */
static void publish_rest(struct place *p, const char *text)
{
	struct position last = follow_position(p->follow);
	char name[80];

	snprintf(name, sizeof name, "since/%llu/%llu/live", (unsigned long long)last.epoch,
	         (unsigned long long)last.seq + 1);
	folder_write(p->dir, name, text, strlen(text));
}

static void a_file_that_is_dead_at_the_other_end_is_noticed(void **state)
{
	struct place *p = *state;
	int stop = eventfd(0, EFD_CLOEXEC);
	unsigned lines;
	int rc;

	publish(p, "live");
	open_live(p);
	assert_int_equal(read_all(p, &lines), 0);
	publish_rest(p, "_c\t1507507201\t_s\t0\t_action\tmore\n");
	for (int i = 0; (rc = read_all(p, &lines)) == 0 && i < 100; i++)
		follow_wait(p->follow, stop);
	assert_int_equal(rc, -ENOTCONN);
	says(p, "does not show");
	close(stop);
}

static void a_second_without_a_line_yet_is_waited_for(void **state)
{
	struct place *p = *state;
	int stop = eventfd(0, EFD_CLOEXEC);
	unsigned lines;

	publish(p, "live");
	folder_write(p->dir, "since/1507507209/0/live", "", 0);
	assert_int_equal(follow_open_second(&p->follow, &p->source, 1507507209, &p->err), 0);
	/* Longer than it takes until the end is asked about again. */
	for (int i = 0; i < 60; i++) {
		if (read_all(p, &lines) != 0)
			fail_msg("%s", p->err.text);
		follow_wait(p->follow, stop);
	}
	close(stop);
}

static void waits_end_when_asked_to(void **state)
{
	struct place *p = *state;
	int stop = eventfd(1, EFD_CLOEXEC);
	struct timespec from, to;
	unsigned lines;

	publish(p, "live");
	open_live(p);
	assert_int_equal(read_all(p, &lines), 0);
	publish_rest(p, "");
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < 1000; i++) { /* of 25 ms each, unasked */
		assert_int_equal(read_all(p, &lines), 0);
		follow_wait(p->follow, stop);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true(to.tv_sec - from.tv_sec < 15);
	close(stop);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(lines_come_whole_and_in_order),
	    TEST(what_comes_later_is_read_later),
	    TEST(after_a_position_the_stream_is_opened_there),
	    TEST(a_position_that_was_given_up_is_told_from_a_mount_that_is_away),
	    TEST(another_stream_at_the_same_place_is_recognized),
	    TEST(a_mount_that_comes_back_just_now_is_not_another_stream),
	    TEST(any_byte_that_is_not_right_is_noticed),
	    TEST(zeros_and_lines_that_are_none_are_refused),
	    TEST(a_line_may_be_longer_than_any_buffer),
	    TEST(a_file_that_is_dead_at_the_other_end_is_noticed),
	    TEST(a_second_without_a_line_yet_is_waited_for),
	    TEST(waits_end_when_asked_to),
	};

	return cmocka_run_group_tests_name("mirror: follow", tests, NULL, NULL);
}
