/* Who reads a growing file with read-ahead gets what stands in it, as far as it goes by then, wherever he reads. */
#include "ahead.h"
#include "naive.h"

#include <sys/syscall.h>
#include <time.h>

enum { READERS = AHEAD_MOST + 3, MOST = 1 << 20 };

static _Atomic int
    slow_ms; /* so much later, each time it is asked for; else time stands still, however slow the machine */

int clock_gettime(clockid_t clock, struct timespec *now)
{
	static _Atomic int later_ms;

	if (clock != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, clock, now);
	later_ms += slow_ms;
	*now = (struct timespec){1000 + later_ms / 1000, later_ms % 1000 * 1000000};
	return 0;
}

/* And so long it takes to read a piece, while others can have their turn. */
ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	if (slow_ms == 1)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	return syscall(SYS_pread64, fd, buf, len, off);
}

struct reader {
	struct file *file;
	struct ahead ahead;
	uint64_t at;
};

struct readers {
	struct fixture f;
	struct shown shown;
	atomic_uint used;
	struct reader all[READERS];
	char *text; /* of the whole stream, so far */
	size_t len;
};

static void grow(struct readers *r, uint64_t bytes)
{
	static int transactions;

	for (uint64_t from = store_len(r->f.store); store_len(r->f.store) < from + bytes;) {
		for (int i = 0; i < 20; i++, transactions++)
			put_transaction(&r->f, transactions, 1000000);
		fixture_sync(&r->f);
	}
	free(r->text);
	r->text = fixture_shown(r->f.store, &r->len);
}

static void start(struct readers *r)
{
	const struct node live = {.kind = NODE_LIVE};

	seed = 11;
	slow_ms = 0;
	*r = (struct readers){.used = 0};
	fixture_start(&r->f, 700000);
	r->shown = (struct shown){.store = r->f.store, .views = view_set_new(r->f.store)};
	for (int i = 0; i < READERS; i++) {
		works(file_open(&r->all[i].file, &r->shown, &live, &r->f.err), r->f.err);
		ahead_init(&r->all[i].ahead, &r->used);
	}
}

static void end(struct readers *r)
{
	for (int i = 0; i < READERS; i++) {
		ahead_fini(&r->all[i].ahead);
		file_close(r->all[i].file);
	}
	assert_int_equal(r->used, 0);
	view_set_free(r->shown.views);
	free(r->text);
	fixture_end(&r->f);
}

/* A read from where the reader is, as serve answers it. */
static size_t read_some(struct readers *r, struct reader *reader, size_t want)
{
	static char own[MOST];
	struct ahead_got got;
	size_t left = reader->at < r->len ? r->len - (size_t)reader->at : 0;

	long n = ahead_read(&reader->ahead, reader->file, reader->at, own, want, &got, &r->f.err);
	works(n, r->f.err);
	assert_int_equal((size_t)n, left < want ? left : want);
	assert_memory_equal(got.bytes, r->text + (left ? reader->at : 0), (size_t)n);
	assert_true(!got.more || reader->at + (uint64_t)n < r->len);
	ahead_go(&reader->ahead, reader->file, &got);
	assert_true(r->used <= AHEAD_MOST);
	reader->at += (uint64_t)n;
	for (int i = 0; i < 2; i++) {
		const struct ahead_part *part = &reader->ahead.parts[i];
		assert_true(!part->buf || part->replies > 0 || part->off + part->len > reader->at ||
		            r->used <= AHEAD_MOST / 2);
	}
	return (size_t)n;
}

static void any_reads_of_a_growing_file_get_what_is_there(void **state)
{
	struct readers r;

	(void)state;
	start(&r);
	grow(&r, 3 << 20);
	for (int i = 0; i < 2000; i++) {
		struct reader *reader = &r.all[any(READERS)];
		if (any(30) == 0)
			reader->at = any(8) * (r.len / 8) + any(3);
		for (uint64_t reads = any(8); reads > 0; reads--)
			read_some(&r, reader, any(40) == 0 ? MOST : 1 + any(90000));
		if (any(80) == 0)
			grow(&r, any(200000));
	}
	end(&r);
}

static void what_came_behind_its_end_is_read_too(void **state)
{
	struct readers r;
	struct reader *reader = &r.all[0];

	(void)state;
	start(&r);
	grow(&r, 400000);
	while (reader->at < 200000)
		read_some(&r, reader, 50000);
	assert_int_equal(r.used, 1);
	grow(&r, 300000);
	assert_int_equal(read_some(&r, reader, 350000), 350000);
	end(&r);
}

static void who_is_at_the_end_or_elsewhere_holds_no_memory(void **state)
{
	struct readers r;
	struct reader *reader = &r.all[0];

	(void)state;
	start(&r);
	grow(&r, 400000);
	while (read_some(&r, reader, 50000) == 50000)
		;
	assert_int_equal(r.used, 0);
	for (reader->at = 0; reader->at < 200000;)
		read_some(&r, reader, 50000);
	assert_int_equal(r.used, 1);
	reader->at = 7;
	read_some(&r, reader, 50);
	assert_int_equal(r.used, 0);
	end(&r);
}

static void what_is_replied_from_stays_as_it_is(void **state)
{
	static char own[MOST];
	struct readers r;
	struct reader *reader = &r.all[0];
	struct ahead_got got;

	(void)state;
	start(&r);
	grow(&r, 8 << 20);
	while (reader->at < 2 * AHEAD_LEN)
		read_some(&r, reader, 65536);
	const char *text = r.text + reader->at;
	works(ahead_read(&reader->ahead, reader->file, reader->at, own, 65536, &got, &r.f.err), r.f.err);
	assert_non_null(got.part);
	for (reader->at += 65536; reader->at < 6 * AHEAD_LEN;)
		read_some(&r, reader, 65536);
	assert_memory_equal(got.bytes, text, 65536);
	ahead_go(&reader->ahead, reader->file, &got);
	end(&r);
}

/* As the kernel asks who reads on: for the next once it has the reply, which another thread gets while the first one
 * reads ahead. */
struct asking {
	struct readers *r;
	pthread_mutex_t lock;
	uint64_t chance;
	unsigned wrong, helped;
	bool ended;
};

static bool is_helped(struct ahead *ahead)
{
	pthread_mutex_lock(&ahead->lock);
	bool helped = ahead->parts[0].rest_len > 0 || ahead->parts[1].rest_len > 0;
	pthread_mutex_unlock(&ahead->lock);
	return helped;
}

static void serve_one(struct asking *asking, char *own)
{
	struct reader *reader = &asking->r->all[0];
	struct ahead_got got;
	struct err err;

	pthread_mutex_lock(&asking->lock);
	asking->chance = asking->chance * 6364136223846793005u + 1442695040888963407u;
	uint64_t chance = asking->chance >> 33, at = reader->at;
	size_t want = chance % 3 == 0 ? MOST : 1 + chance % 200000;
	size_t left = asking->r->len - (size_t)at, most = left < want ? left : want;
	long n = ahead_read(&reader->ahead, reader->file, at, own, want, &got, &err);
	asking->wrong += n != (long)most || memcmp(got.bytes, asking->r->text + at, most) != 0;
	asking->helped += is_helped(&reader->ahead);
	if (at + most == asking->r->len)
		asking->ended = true;
	reader->at = chance % 97 == 0 ? at / 2 : at + most;
	pthread_mutex_unlock(&asking->lock);
	/* The reply is made now. */
	bool wrong = n != (long)most || memcmp(got.bytes, asking->r->text + at, most) != 0;
	ahead_go(&reader->ahead, reader->file, &got);
	pthread_mutex_lock(&asking->lock);
	asking->wrong += wrong;
	pthread_mutex_unlock(&asking->lock);
}

static void *serve_all(void *arg)
{
	struct asking *asking = arg;
	char *own = malloc(MOST);

	for (bool ended = !own; !ended;) {
		serve_one(asking, own);
		pthread_mutex_lock(&asking->lock);
		ended = asking->ended;
		pthread_mutex_unlock(&asking->lock);
	}
	free(own);
	return NULL;
}

static unsigned threads_answer(int late_ms)
{
	enum { SERVERS = 4 };
	struct readers r;
	struct asking asking = {.r = &r, .lock = PTHREAD_MUTEX_INITIALIZER, .chance = 5};
	pthread_t threads[SERVERS];

	start(&r);
	slow_ms = late_ms;
	grow(&r, 12 << 20);
	for (int i = 0; i < SERVERS; i++)
		must(pthread_create(&threads[i], NULL, serve_all, &asking) == 0);
	for (int i = 0; i < SERVERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(asking.wrong, 0);
	end(&r);
	return asking.helped;
}

static void one_thread_replies_while_another_reads_ahead(void **state)
{
	(void)state;
	assert_int_equal(threads_answer(0), 0);
}

/* Each piece takes a millisecond: who would wait reads the second half. */
static void who_waits_helps(void **state)
{
	(void)state;
	assert_true(threads_answer(1) > 0);
}

static void who_reads_on_for_long_has_two_parts(void **state)
{
	struct readers r;
	struct reader *reader = &r.all[0];

	(void)state;
	start(&r);
	grow(&r, 4 << 20);
	while (reader->at < AHEAD_LEN - 65536)
		read_some(&r, reader, 65536);
	assert_int_equal(r.used, 1);
	while (reader->at < 2 * AHEAD_LEN)
		read_some(&r, reader, 65536);
	assert_int_equal(r.used, 2);
	end(&r);
}

static void who_pauses_leaves_a_part_to_others(void **state)
{
	enum { PAUSING = 6 };
	struct readers r;

	(void)state;
	start(&r);
	grow(&r, 4 << 20);
	for (int i = 0; i < PAUSING; i++) {
		const struct ahead_part *parts = r.all[i].ahead.parts;
		while (r.all[i].at < 2 * AHEAD_LEN)
			read_some(&r, &r.all[i], 65536);
		assert_true(parts[0].buf || parts[1].buf);
	}
	end(&r);
}

static void where_there_is_little_nobody_keeps_what_he_has_read(void **state)
{
	struct readers r;
	struct reader *reader = &r.all[0];

	(void)state;
	start(&r);
	grow(&r, 6 << 20);
	while (reader->at < 2 * AHEAD_LEN)
		read_some(&r, reader, 65536);
	assert_int_equal(r.used, 2);
	slow_ms = 1000; /* nothing more is read ahead */
	r.used += AHEAD_MOST / 2;
	while (reader->at < 4 * AHEAD_LEN)
		read_some(&r, reader, 65536);
	assert_int_equal(r.used, AHEAD_MOST / 2);
	r.used = 0;
	end(&r);
}

struct ending {
	struct ahead *ahead;
	_Atomic bool ended;
};

static void *end_one(void *arg)
{
	struct ending *ending = arg;

	ahead_fini(ending->ahead);
	ending->ended = true;
	return NULL;
}

static void it_ends_once_the_last_reply_is_made(void **state)
{
	static char own[MOST];
	struct readers r;
	struct reader *reader = &r.all[0];
	struct ending ending = {.ahead = &reader->ahead};
	struct ahead_got got;
	pthread_t thread;

	(void)state;
	start(&r);
	grow(&r, 1 << 20);
	while (reader->at < 200000)
		read_some(&r, reader, 50000);
	works(ahead_read(&reader->ahead, reader->file, reader->at, own, 50000, &got, &r.f.err), r.f.err);
	assert_non_null(got.part);
	must(pthread_create(&thread, NULL, end_one, &ending) == 0);
	usleep(100000);
	bool early = ending.ended;
	if (!early)
		ahead_go(&reader->ahead, reader->file, &got);
	pthread_join(thread, NULL);
	assert_false(early);
	assert_int_equal(r.used, 0);
	ahead_init(&reader->ahead, &r.used);
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_reads_of_a_growing_file_get_what_is_there),
	    cmocka_unit_test(what_came_behind_its_end_is_read_too),
	    cmocka_unit_test(who_reads_on_for_long_has_two_parts),
	    cmocka_unit_test(who_pauses_leaves_a_part_to_others),
	    cmocka_unit_test(where_there_is_little_nobody_keeps_what_he_has_read),
	    cmocka_unit_test(it_ends_once_the_last_reply_is_made),
	    cmocka_unit_test(what_is_replied_from_stays_as_it_is),
	    cmocka_unit_test(one_thread_replies_while_another_reads_ahead),
	    cmocka_unit_test(who_waits_helps),
	    cmocka_unit_test(who_is_at_the_end_or_elsewhere_holds_no_memory),
	};
	return cmocka_run_group_tests_name("ahead", tests, NULL, NULL);
}
