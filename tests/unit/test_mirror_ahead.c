/* The stream's lines, read ahead by a thread: the same as follow.h gives. */
#include "ahead.h"
#include "follow.h"
#include "test_mirror_stream.h"

struct scene {
	char dir[40];
	struct stream stream;
	struct follow_source source;
	struct ahead *ahead;
	struct err err;
};

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof *scene);

	folder_make(scene->dir);
	stream_init(&scene->stream, 1507507200);
	stream_origin(&scene->stream, 1);
	scene->source = (struct follow_source){.mount = scene->dir};
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	ahead_close(scene->ahead);
	stream_fini(&scene->stream);
	folder_remove(scene->dir);
	free(scene);
	return 0;
}

static void add(struct scene *scene, unsigned lines, size_t len)
{
	char *body = malloc(len + 200);

	assert_non_null(body);
	for (unsigned i = 0; i < lines; i++) {
		sprintf(body, "_table\tt\t_xid\t%u\t_action\tinsert\ta\t%0*u", scene->stream.xid, (int)len, i);
		stream_line(&scene->stream, body);
		if (i % 100 == 99)
			stream_commit(&scene->stream);
	}
	free(body);
}

static void show(struct scene *scene)
{
	folder_write(scene->dir, "live", scene->stream.text, scene->stream.len);
}

static void begin(struct scene *scene)
{
	show(scene);
	assert_int_equal(ahead_open(&scene->ahead, &scene->source, NULL, &scene->err), 0);
}

static void assert_same_span(struct span a, struct span b)
{
	assert_int_equal(a.len, b.len);
	assert_true(a.at ? b.at && memcmp(a.at, b.at, b.len) == 0 : !b.at);
}

/* Whatever comes next is what stands in the text; returns what ended it. */
static int compare(struct scene *scene, size_t *at)
{
	const struct follow_line *line;
	struct line_head head;
	int rc;

	while ((rc = ahead_next(scene->ahead, &line, &scene->err)) == 1) {
		const char *text = scene->stream.text + *at;
		size_t len = strcspn(text, "\n");
		assert_int_equal(line->len, len);
		assert_true(line->text ? memcmp(line->text, text, len) == 0 : line->head.same);
		assert_true(line_parse(text, len, &head));
		assert_same_span(line->head.action, head.action);
		assert_same_span(line->head.xid, head.xid);
		assert_same_span(line->head.table_pairs, head.table_pairs);
		assert_same_span(line->head.pairs, head.pairs);
		assert_int_equal(line->head.stamp_len, head.stamp_len);
		assert_int_equal(position_cmp(line->head.position, head.position), 0);
		assert_int_equal(line->commit, span_is(head.action, "commit"));
		assert_int_equal(position_cmp(ahead_position(scene->ahead), head.position), 0);
		*at += len + 1;
	}
	return rc;
}

static void all_lines_come_in_their_order(void **state)
{
	struct scene *scene = *state;
	size_t at = 0;

	add(scene, 50000, 20);
	begin(scene);
	assert_int_equal(compare(scene, &at), 0);
	assert_int_equal(at, scene->stream.len);
	assert_false(ahead_in_line(scene->ahead));
	/* What comes later, few or many. */
	for (unsigned lines = 1; lines < 5000; lines *= 7) {
		add(scene, lines, 20);
		show(scene);
		assert_int_equal(compare(scene, &at), 0);
		assert_int_equal(at, scene->stream.len);
	}
}

static void lines_longer_than_a_block_come_too(void **state)
{
	struct scene *scene = *state;
	size_t at = 0;

	add(scene, 1000, 20);
	add(scene, 5, 3000000);
	add(scene, 1000, 20);
	add(scene, 3, 300000);
	begin(scene);
	assert_int_equal(compare(scene, &at), 0);
	assert_int_equal(at, scene->stream.len);
}

static void an_error_comes_behind_the_lines_before_it(void **state)
{
	struct scene *scene = *state;
	size_t at = 0;

	add(scene, 20000, 20);
	size_t good = scene->stream.len;
	add(scene, 99, 20);
	stream_bytes(&scene->stream, "x\n", 2);
	add(scene, 20000, 20);
	begin(scene);
	assert_int_equal(compare(scene, &at), -EBADMSG);
	assert_true(at > good && at < scene->stream.len);
	assert_non_null(strstr(scene->err.text, "not a line of the stream"));
	struct position position = ahead_position(scene->ahead);
	assert_int_equal(position.seq, 98);
}

static void a_checksum_that_is_wrong_is_an_error_at_its_commit(void **state)
{
	struct scene *scene = *state;
	size_t at = 0;

	add(scene, 20000, 20);
	add(scene, 99, 20);
	scene->stream.crc++;
	stream_commit(&scene->stream);
	add(scene, 20000, 20);
	begin(scene);
	assert_int_equal(compare(scene, &at), -EBADMSG);
	assert_non_null(strstr(scene->err.text, "is damaged: its crc is"));
}

static void it_can_be_closed_at_any_line(void **state)
{
	struct scene *scene = *state;
	const struct follow_line *line;

	add(scene, 20000, 20);
	add(scene, 1, 3000000);
	add(scene, 1000, 20);
	begin(scene);
	for (unsigned lines = 1; lines < 30000; lines = lines * 3 + 1) {
		for (unsigned i = 0; i < lines; i++)
			assert_in_range(ahead_next(scene->ahead, &line, &scene->err), 0, 1);
		ahead_close(scene->ahead);
		assert_int_equal(ahead_open(&scene->ahead, &scene->source, NULL, &scene->err), 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(all_lines_come_in_their_order),
	    TEST(lines_longer_than_a_block_come_too),
	    TEST(an_error_comes_behind_the_lines_before_it),
	    TEST(a_checksum_that_is_wrong_is_an_error_at_its_commit),
	    TEST(it_can_be_closed_at_any_line),
	};

	return cmocka_run_group_tests_name("mirror: ahead", tests, NULL, NULL);
}
