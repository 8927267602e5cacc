/* What is wrong in the stream: not one line of such a transaction stays, and what came before it does. */
#include "test_mirror_stream.h"

#include <sys/wait.h>

#include "log.h"
#include "mirror.h"

/* A mount with three transactions; the second one is what gets damaged. */
struct mount {
	char dir[40], db[60];
	struct stream stream;
	struct position first; /* the first one's commit */
	size_t second, third;  /* where they begin */
	struct mirror_wish wish;
	struct mirror mirror;
	struct world asked;
	struct err err;
};

#define CHANGE(xid, rest) "_table\tt\t_xid\t" xid "\t_action\t" rest

static void mount_make(struct mount *m)
{
	*m = (struct mount){0};
	folder_make(m->dir);
	snprintf(m->db, sizeof m->db, "%s/m.sqlite", m->dir);
	m->wish = (struct mirror_wish){.source = {.mount = m->dir}, .path = m->db, .once = true};
	stream_init(&m->stream, 1507507200);
	stream_origin(&m->stream, 1);
	stream_line(&m->stream, "_table\tt\t_xid\t700\t_relid\t16384\t_key\tid\t_action\tschema\t"
	                        "id\tnumber\\t1\\ttype\\tinteger\tv\tnumber\\t2\\ttype\\ttext");
	stream_line(&m->stream, CHANGE("700", "insert\tid\t1\tv\tone"));
	m->first = m->stream.next;
	stream_commit(&m->stream);
	m->second = m->stream.len;
	stream_line(&m->stream, CHANGE("701", "insert\tid\t2\tv\ttwo"));
	stream_line(&m->stream, CHANGE("701", "update\tid\t1\tv\tuno"));
	stream_line(&m->stream, CHANGE("701", "insert\tid\t3\tv\tthree"));
	stream_commit(&m->stream);
	stream_line(&m->stream, CHANGE("702", "delete\tid\t1"));
	stream_commit(&m->stream);
}

static void mount_remove(struct mount *m)
{
	mirror_close(&m->mirror);
	sqlite3_close(m->asked.database.sqlite);
	sqlite3_free(m->asked.answer);
	stream_fini(&m->stream);
	folder_remove(m->dir);
}

/* So much of it is shown. */
static void show(struct mount *m, size_t len)
{
	char name[80];

	folder_write(m->dir, "live", m->stream.text, len);
	snprintf(name, sizeof name, "since/%" PRIu64 "/%" PRIu64 "/live", m->first.epoch, m->first.seq + 1);
	folder_write(m->dir, name, m->stream.text + m->second, len - m->second);
}

static int run(struct mount *m)
{
	const struct mirror_goal goal = {.end = true};

	if (mirror_open(&m->mirror, &m->wish, m->db, false, 0, &m->err) < 0)
		fail_msg("%s", m->err.text);
	int rc = mirror_run(&m->mirror, &goal, &m->err);
	mirror_close(&m->mirror);
	m->mirror = (struct mirror){.database = {.lock_fd = -1}};
	return rc;
}

static const char *asked(struct mount *m, const char *sql)
{
	if (!m->asked.database.sqlite)
		assert_int_equal(sqlite3_open(m->db, &m->asked.database.sqlite), SQLITE_OK);
	return ask(&m->asked, sql);
}

/* ---- what may be wrong with the second transaction */

static char *line_of(struct mount *m, unsigned number)
{
	char *at = m->stream.text + m->second;

	while (number-- > 0)
		at = strchr(at, '\n') + 1;
	return at;
}

static size_t line_len(const char *line)
{
	return strcspn(line, "\n") + 1;
}

static void another_value(struct mount *m)
{
	memcpy(strstr(m->stream.text + m->second, "two"), "TWO", 3);
}

static void another_key(struct mount *m)
{
	memcpy(strstr(m->stream.text + m->second, "id\t3"), "id\t7", 4);
}

static void insert_text(struct mount *m, char *at, const char *text, size_t len)
{
	size_t off = (size_t)(at - m->stream.text);
	char *copy = strndup(text, len);

	m->stream.text = realloc(m->stream.text, m->stream.len + len + 1);
	assert_true(m->stream.text && copy);
	memmove(m->stream.text + off + len, m->stream.text + off, m->stream.len - off + 1);
	memcpy(m->stream.text + off, copy, len);
	m->stream.len += len;
	free(copy);
}

static void cut_text(struct mount *m, char *at, size_t len)
{
	memmove(at, at + len, m->stream.len - (size_t)(at - m->stream.text) - len + 1);
	m->stream.len -= len;
}

static void a_line_repeated(struct mount *m)
{
	char *line = line_of(m, 1);

	insert_text(m, line, line, line_len(line));
}

static void a_line_missing(struct mount *m)
{
	char *line = line_of(m, 1);

	cut_text(m, line, line_len(line));
}

static void lines_exchanged(struct mount *m)
{
	char line[200];

	snprintf(line, sizeof line, "%.*s", (int)line_len(line_of(m, 0)), line_of(m, 0));
	cut_text(m, line_of(m, 0), strlen(line));
	insert_text(m, line_of(m, 1), line, strlen(line));
}

static void zeros(struct mount *m)
{
	memset(line_of(m, 2), 0, 30);
}

static void the_commit_without_its_sum(struct mount *m)
{
	char *crc = strstr(m->stream.text + m->second, "\tcrc\t");

	cut_text(m, crc, strcspn(crc, "\n"));
}

static void a_position_that_is_none(struct mount *m)
{
	memcpy(line_of(m, 1), "_c\tyesterday", 12);
}

/* A sum that is right does not make a line right. */
static void a_definition_that_is_none(struct mount *m)
{
	static const char body[] = "_table\tt\t_xid\t701\t_relid\t16384\t_key\tid\t_action\tschema\tid\tnumber\\tone";

	m->stream.text[m->stream.len = m->second] = 0;
	m->stream.crc = 0;
	m->stream.xid = 701;
	m->stream.next = (struct position){m->first.epoch + 1, 0};
	stream_line(&m->stream, CHANGE("701", "insert\tid\t2\tv\ttwo"));
	stream_line(&m->stream, body);
	stream_commit(&m->stream);
}

/* For a process of its own, which no assertion can leave. */
static bool is_refused(void (*damage)(struct mount *))
{
	struct mount m;

	mount_make(&m);
	damage(&m);
	show(&m, m.stream.len);
	int rc = run(&m);
	bool rows = strcmp(asked(&m, "SELECT * FROM t"), "1|one") == 0;
	bool position = strcmp(asked(&m, "SELECT epoch, seq FROM _daystream"), "1507507200|3") == 0;
	bool refused = rc == -EBADMSG && *m.err.text && rows && position;
	mount_remove(&m);
	return refused;
}

/* Each is read again, for seconds: so all of them at once. */
static void of_a_damaged_transaction_no_line_stays_and_all_before_it_does(void **state)
{
	static void (*const damages[])(struct mount *) = {another_value,
	                                                  another_key,
	                                                  a_line_repeated,
	                                                  a_line_missing,
	                                                  lines_exchanged,
	                                                  zeros,
	                                                  the_commit_without_its_sum,
	                                                  a_position_that_is_none,
	                                                  a_definition_that_is_none};
	enum { COUNT = sizeof damages / sizeof *damages };
	pid_t children[COUNT];
	int status;

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		if ((children[i] = fork()) == 0)
			_exit(!is_refused(damages[i]));
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		if (status != 0)
			fail_msg("damage %zu was not refused as it should be: %d", i, status);
	}
}

static void a_stream_that_ends_in_a_line_for_a_while_is_waited_for(void **state)
{
	struct mount m;
	int status;

	(void)state;
	mount_make(&m);
	show(&m, m.second + 70);
	folder_write(m.dir, "since/1507507201/1/live", "", 0);
	pid_t child = fork();
	if (child == 0) {
		char path[80];
		usleep(400000);
		snprintf(path, sizeof path, "%s/live", m.dir);
		FILE *live = fopen(path, "a");
		fwrite(m.stream.text + m.second + 70, 1, m.stream.len - m.second - 70, live);
		_exit(fclose(live));
	}
	assert_int_equal(run(&m), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_string_equal(asked(&m, "SELECT * FROM t"), "2|two\n3|three");
	mount_remove(&m);
}

/* Follows from the first commit on, over two good ones. */
static void ends_before(struct mount *m, int code)
{
	show(m, m->stream.len);
	assert_int_equal(run(m), code);
	assert_string_equal(asked(m, "SELECT group_concat(id), (SELECT epoch FROM _daystream) FROM t"),
	                    "2,3|1507507202");
	mount_remove(m);
}

static void where_it_cannot_go_on_it_stands_directly_before(void **state)
{
	struct mount m;

	(void)state;
	mount_make(&m);
	show(&m, m.second);
	assert_int_equal(run(&m), 0);
	/* Of somebody's, who did not think of all texts. */
	asked(&m, "CREATE INDEX i ON t (json_extract(v, '$')) WHERE v = 'four'");
	stream_line(&m.stream, CHANGE("703", "insert\tid\t4\tv\tfour"));
	stream_commit(&m.stream);
	ends_before(&m, -ENOTSUP);
	mount_make(&m);
	show(&m, m.second);
	assert_int_equal(run(&m), 0);
	stream_origin(&m.stream, 2);
	stream_commit(&m.stream);
	ends_before(&m, -ESTALE);
}

static void bytes_that_are_not_utf8_are_kept(void **state)
{
	struct mount m;

	(void)state;
	mount_make(&m);
	stream_line(&m.stream, CHANGE("703", "insert\tid\t9\tv\ta\xff\xc3(\x80z"));
	stream_commit(&m.stream);
	show(&m, m.stream.len);
	assert_int_equal(run(&m), 0);
	assert_string_equal(asked(&m, "SELECT hex(v) FROM t WHERE id = 9"), "61FFC328807A");
	mount_remove(&m);
}

/* A folder is there in the file's place: reading it is an error like EIO. */
static void a_file_that_cannot_be_read_is_named(void **state)
{
	struct mount m;
	char path[80];

	(void)state;
	mount_make(&m);
	snprintf(path, sizeof path, "%s/live", m.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(run(&m), -ENOTCONN);
	assert_non_null(strstr(m.err.text, path));
	mount_remove(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(of_a_damaged_transaction_no_line_stays_and_all_before_it_does),
	    cmocka_unit_test(a_stream_that_ends_in_a_line_for_a_while_is_waited_for),
	    cmocka_unit_test(where_it_cannot_go_on_it_stands_directly_before),
	    cmocka_unit_test(bytes_that_are_not_utf8_are_kept),
	    cmocka_unit_test(a_file_that_cannot_be_read_is_named),
	};

	log_init("test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
