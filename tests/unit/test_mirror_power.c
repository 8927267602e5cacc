/*
 * Without power at every call while the WAL is copied back beside the commits, and after a copy that failed: what is left is
 * a mirror that stands at a commit, not before what was on the disk, and goes on to the same end.
 *
 * The work is done by this program, started again under the recorder (tests/crash/trace.h). tests/flow/87-mirror-power.sh does the
 * same with deltamirror, whose WAL never is so long there.
 */
#include "test_mirror_stream.h"

#include <limits.h>
#include <sys/wait.h>

#include "content.h"
#include "crash/states.h"
#include "crash/unsynced.h"

/* A copy begins from so many pages on; about so many are what a commit writes. */
enum { COMMITS = 20, PAGES = 24, ROWS = 12, IDS = 251, OTHERS = 2, FOLLOWED = 8 };
enum { ENDED = 0, FAILED = 3 };

static char scratch[64]; /* in memory, where that can be */
static struct stream stream;
static size_t begins; /* where in it the work begins */
static struct mark {
	struct position position;
	uint64_t content;
} marks[COMMITS + 1];

/* ---- the work */

/* Rows of about 300 bytes all over the table: new values of those that are there, or new ones. */
static void make_stream(void)
{
	char body[600];

	stream_init(&stream, 1507507200);
	stream_origin(&stream, 1);
	stream_line(&stream, "_table\tt\t_xid\t700\t_relid\t16384\t_key\tid\t_"
	                     "action\tschema\tid\tnumber\\t1\\ttype\\tinteger\\tpk\\t1\tv\tnumber\\t2\\ttype\\ttext");
	stream_commit(&stream);
	begins = stream.len;
	for (unsigned i = 0; i < COMMITS; i++) {
		for (unsigned row = 0; row < ROWS; row++) {
			unsigned number = i * ROWS + row;
			snprintf(body, sizeof body, "_table\tt\t_xid\t%u\t_action\tupdate\tid\t%u\tv\t%0300u",
			         stream.xid, number * 617 % IDS, number);
			stream_line(&stream, body);
		}
		stream_commit(&stream);
	}
}

static int open_world(struct world *world, const char *path)
{
	*world = (struct world){.database.lock_fd = -1};
	snprintf(world->path, sizeof world->path, "%s", path);
	struct database_want want = {.stop_fd = -1};
	int rc = database_open(&world->database, path, &want, &world->err);
	if (rc == 0)
		rc = apply_open(&world->apply, &world->database, NULL, 0, world_warn, &world->err);
	world->database.wal.least = world->database.wal.next = PAGES;
	return rc;
}

/* The next transaction that it has not. 0: there is none. */
static int apply_one(struct world *world, size_t end)
{
	const struct database *database = &world->database;
	struct line_head head;

	while (world->fed < end) {
		const char *at = stream.text + world->fed;
		size_t len = strcspn(at, "\n");
		world->fed += len + 1;
		assert_true(line_parse(at, len, &head));
		if (database->has_position && !apply_in_transaction(world->apply) &&
		    position_cmp(head.position, database->position) <= 0)
			continue;
		int rc = apply_line(world->apply, &head, &world->err);
		if (rc == 0 && span_is(head.action, "commit"))
			return (rc = apply_commit(world->apply, &world->err)) < 0 ? rc : 1;
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* In a process of its own, `commits` of them. Now and then the copy comes to its end, so that the WAL begins anew. */
static int work(const char *path, int commits)
{
	struct world world;
	int rc = 1;

	recorded = true;
	make_stream();
	if (open_world(&world, path) < 0)
		fail_msg("%s", world.err.text);
	for (int i = 0; i < commits && (rc = apply_one(&world, stream.len)) > 0; i++)
		if (world.database.wal.backfill && i % 4 == 3)
			backfill_wait(world.database.wal.backfill);
	assert_non_null(world.database.wal.backfill);
	if (rc > 0)
		_exit(ENDED); /* as if killed */
	if (rc < 0 && rc != -EIO)
		fail_msg("%s", world.err.text);
	world_close(&world);
	return rc < 0 ? FAILED : ENDED;
}

static void work_recorded(const char *root, int commits, const char *fails)
{
	char self[PATH_MAX], library[PATH_MAX + 20], trace[80], path[80], count[12];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int status;

	assert_true(n > 0);
	self[n] = 0;
	snprintf(library, sizeof library, "%.*s/record.so", (int)(strrchr(self, '/') - self), self);
	snprintf(trace, sizeof trace, "%s.trace", root);
	snprintf(path, sizeof path, "%s/m.sqlite", root);
	snprintf(count, sizeof count, "%d", commits);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("LD_PRELOAD", library, 1);
		setenv("RECORD_ROOT", root, 1);
		setenv("RECORD_TRACE", trace, 1);
		setenv("RECORD_SLOW", "2000", 1); /* so that commits come beside it */
		if (fails)
			setenv("RECORD_FAIL", fails, 1);
		setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
		execl(self, self, path, count, NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), fails ? FAILED : ENDED);
}

/* ---- what is left */

static const struct mark *mark_of(const struct database *database)
{
	for (int i = 0; database->has_position && i <= COMMITS; i++)
		if (position_cmp(marks[i].position, database->position) == 0)
			return &marks[i];
	return NULL;
}

static bool is_sound(struct world *world)
{
	return strcmp(ask(world, "PRAGMA integrity_check(1)"), "ok") == 0;
}

/* The position at which it stands. */
static struct position check(const char *path, bool follow, const char *what)
{
	struct world world;
	int rc = open_world(&world, path);

	if (rc < 0)
		fail_msg("%s: %s", what, world.err.text);
	if (!is_sound(&world))
		fail_msg("%s: %s", what, world.answer);
	struct position position = world.database.position;
	const struct mark *mark = mark_of(&world.database);
	if (!mark || content_all(world.database.sqlite) != mark->content)
		fail_msg("%s: it is not as the stream was at any commit", what);
	while (follow && (rc = apply_one(&world, stream.len)) > 0)
		;
	if (rc < 0)
		fail_msg("%s: it does not follow: %s", what, world.err.text);
	if (follow && (!is_sound(&world) || content_all(world.database.sqlite) != marks[COMMITS].content))
		fail_msg("%s: at the end it is another one", what);
	sqlite3_free(world.answer);
	world_close(&world);
	return position;
}

static struct position lose(struct states *states, size_t at, enum states_loss loss, unsigned seed)
{
	char left[80], path[100], what[100];

	snprintf(left, sizeof left, "%s/left", scratch);
	snprintf(path, sizeof path, "%s/m.sqlite", left);
	snprintf(what, sizeof what, "lost at %zu (kind %d, seed %u)", at, (int)loss, seed);
	states_make(states, at, loss, seed, left);
	struct position position = check(path, seed % FOLLOWED == 0, what);
	folder_remove(left);
	return position;
}

/* All that was synced, or that processes see, never goes back; and nothing takes away what was synced. */
static void lose_all(struct states *states)
{
	struct position synced = {0}, seen = {0};
	unsigned seed = 1, count = 0;

	for (size_t at = states_next(states, 0);; at = states_next(states, at + 1)) {
		struct position least = lose(states, at, LOSS_ALL, (unsigned)at),
		                most = lose(states, at, LOSS_NONE, (unsigned)at + 1);
		if (position_cmp(least, synced) < 0 || position_cmp(most, seen) < 0)
			fail_msg("at %zu it goes back", at);
		synced = least;
		seen = most;
		for (int i = 0; i < OTHERS; i++) {
			unsigned random = (unsigned)rand_r(&seed);
			enum states_loss loss = LOSS_BYTES + random % (LOSSES - LOSS_BYTES);
			if (position_cmp(lose(states, at, loss, random), synced) < 0)
				fail_msg("at %zu a loss of kind %d, seed %u, takes it back", at, (int)loss, random);
		}
		count += 2 + OTHERS;
		if (at == states_count(states))
			break;
	}
	print_message("# %u states at %zu calls\n", count, states_count(states));
}

/* A mirror with its table, closed. */
static void make_base(char *root)
{
	struct world world;
	char path[80];

	snprintf(root, 60, "%s/root.XXXXXX", scratch);
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof path, "%s/m.sqlite", root);
	assert_int_equal(open_world(&world, path), 0);
	assert_int_equal(apply_one(&world, begins), 1);
	world_close(&world);
}

static void at_every_call(const char *fails)
{
	char base[60], root[60], trace[80];

	snprintf(root, sizeof root, "%s/left", scratch);
	folder_remove(root); /* of one that failed */
	make_base(base);
	make_base(root);
	work_recorded(root, fails ? COMMITS + 1 : COMMITS / 2, fails);
	work_recorded(root, COMMITS + 1, NULL);
	snprintf(trace, sizeof trace, "%s.trace", root);
	struct states *states = states_open(trace, base);
	lose_all(states);
	states_free(states);
	unlink(trace);
	folder_remove(base);
	folder_remove(root);
}

static void without_power_while_the_wal_is_copied_back(void **state)
{
	(void)state;
	at_every_call(NULL);
}

static void without_power_after_the_copy_could_not_be_synced(void **state)
{
	(void)state;
	at_every_call("fdatasync:2:EIO:1:m.sqlite");
}

static void without_power_after_the_wal_could_not_be_synced(void **state)
{
	(void)state;
	at_every_call("fdatasync:2:EIO:1:-wal");
}

static int setup(void **state)
{
	struct world world;
	char path[80];

	(void)state;
	snprintf(scratch, sizeof scratch, "/dev/shm/daystream-unit.XXXXXX");
	if (!mkdtemp(scratch)) {
		snprintf(scratch, sizeof scratch, "/tmp/daystream-unit.XXXXXX");
		assert_non_null(mkdtemp(scratch));
	}
	make_stream();
	snprintf(path, sizeof path, "%s/truth.sqlite", scratch);
	assert_int_equal(open_world(&world, path), 0);
	for (int i = 0; apply_one(&world, stream.len) > 0; i++)
		marks[i] = (struct mark){world.database.position, content_all(world.database.sqlite)};
	world_close(&world);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stream_fini(&stream);
	folder_remove(scratch);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_power_while_the_wal_is_copied_back),
	    cmocka_unit_test(without_power_after_the_copy_could_not_be_synced),
	    cmocka_unit_test(without_power_after_the_wal_could_not_be_synced),
	};

	if (argc == 3)
		return work(argv[1], atoi(argv[2]));
	return cmocka_run_group_tests(tests, setup, teardown);
}
