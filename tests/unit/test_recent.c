/* Who follows the stream gets what is shown near its end, whoever asked for it before, and keeps it while he replies. */
#include "naive.h"
#include "recent.h"

#include <sys/syscall.h>

enum { MOST = 1 << 20, NEAR_ENOUGH = 3 << 20 };

/* A disk that holds up a thread's reads; not for ever, so that a fault ends, too. */
static _Thread_local bool held_up;
static _Atomic bool stalls, stalled, gave_up;

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	for (int tries = 0; stalls && held_up && !gave_up; usleep(1000)) {
		stalled = true;
		if (++tries == 10000) {
			gave_up = true;
			break;
		}
	}
	return syscall(SYS_pread64, fd, buf, len, off);
}

static void grow(struct fixture *f, uint64_t bytes)
{
	static int transactions;

	for (uint64_t from = store_len(f->store); store_len(f->store) < from + bytes;) {
		for (int i = 0; i < 20; i++, transactions++)
			put_transaction(f, transactions, 1000000);
		fixture_sync(f);
	}
}

static void start(struct fixture *f, struct recent **recent, uint64_t segment_bytes)
{
	seed = 7;
	fixture_start(f, segment_bytes);
	must((*recent = recent_new(store_segments(f->store))) != NULL);
	recent_join(*recent);
}

static void end(struct fixture *f, struct recent *recent)
{
	recent_leave(recent);
	recent_free(recent);
	fixture_end(f);
}

/* Whether the pieces are what stands at `off`. */
static bool right(struct fixture *f, const struct recent_got *got, uint64_t off)
{
	char *text = malloc(got->len + 1);
	struct err err;
	size_t at = 0;
	bool good = text && store_read(f->store, off, text, got->len, &err) == (long)got->len;

	for (size_t i = 0; good && i < got->count; at += got->pieces[i++].iov_len)
		good = memcmp(got->pieces[i].iov_base, text + at, got->pieces[i].iov_len) == 0;
	free(text);
	return good && at == got->len;
}

static void any_reads_near_the_end_get_what_is_shown(void **state)
{
	struct fixture f;
	struct recent *recent;
	struct recent_got got;

	(void)state;
	start(&f, &recent, 1500000);
	for (int i = 0; i < 1500; i++) {
		if (any(10) == 0)
			grow(&f, any(100000));
		uint64_t len = store_len(f.store), back = any(NEAR_ENOUGH);
		uint64_t off = back < len ? len - back : 0;
		size_t want = any(20) == 0 ? MOST : 1 + any(90000);
		if (!recent_read(recent, off, want, &got)) {
			assert_int_equal(off, len);
			continue;
		}
		assert_int_equal(got.len, len - off < want ? len - off : want);
		assert_true(right(&f, &got, off));
		recent_release(recent, &got);
	}
	end(&f, recent);
}

static void what_is_held_stays_until_it_is_released(void **state)
{
	struct fixture f;
	struct recent *recent;
	struct recent_got got, other;

	(void)state;
	start(&f, &recent, 100 << 20);
	grow(&f, 1 << 20);
	uint64_t off = store_len(f.store) - 70000;
	assert_true(recent_read(recent, off, 70000, &got));
	for (int i = 0; i < 2 * RECENT_BLOCKS; i++) {
		grow(&f, 1 << 20);
		assert_true(recent_read(recent, store_len(f.store) - 5000, 5000, &other));
		assert_true(right(&f, &other, store_len(f.store) - 5000));
		recent_release(recent, &other);
	}
	assert_true(right(&f, &got, off));
	assert_false(recent_read(recent, off, 70000, &other)); /* too far back by now */
	recent_release(recent, &got);
	end(&f, recent);
}

static void where_all_are_held_it_is_read_otherwise(void **state)
{
	struct fixture f;
	struct recent *recent;
	struct recent_got got[RECENT_BLOCKS], more;

	(void)state;
	start(&f, &recent, 100 << 20);
	for (int i = 0; i < RECENT_BLOCKS; i++) {
		grow(&f, (uint64_t)RECENT_LEN * (uint64_t)(i + 1) - store_len(f.store));
		assert_true(recent_read(recent, (uint64_t)RECENT_LEN * (uint64_t)i, 100, &got[i]));
	}
	grow(&f, RECENT_LEN);
	assert_false(recent_read(recent, (uint64_t)RECENT_LEN * RECENT_BLOCKS, 100, &more));
	for (int i = 0; i < RECENT_BLOCKS; i++) {
		assert_true(right(&f, &got[i], (uint64_t)RECENT_LEN * (uint64_t)i));
		recent_release(recent, &got[i]);
	}
	assert_true(recent_read(recent, (uint64_t)RECENT_LEN * RECENT_BLOCKS, 100, &more));
	recent_release(recent, &more);
	end(&f, recent);
}

static void damaged_bytes_are_not_given_out(void **state)
{
	struct fixture f;
	struct recent *recent;
	struct recent_got got;

	(void)state;
	start(&f, &recent, 100 << 20);
	grow(&f, 300000);
	fixture_flip(&f, "*.day", 200000);
	assert_false(recent_read(recent, 190000, 20000, &got));
	assert_int_equal(got.count, 0);
	fixture_flip(&f, "*.day", 200000);
	assert_true(recent_read(recent, 190000, 20000, &got));
	assert_true(right(&f, &got, 190000));
	recent_release(recent, &got);
	end(&f, recent);
}

struct following {
	struct fixture *f;
	struct recent *recent;
	uint64_t at;
	_Atomic bool ended;
	_Atomic unsigned wrong, reads;
};

static void *read_one(void *arg)
{
	struct following *following = arg;
	struct recent_got got;

	held_up = true;
	if (recent_read(following->recent, following->at, 1, &got))
		recent_release(following->recent, &got);
	following->ended = true;
	return NULL;
}

static void who_has_his_bytes_there_waits_for_no_disk(void **state)
{
	struct fixture f;
	struct following following = {.f = &f};
	struct recent_got got;
	pthread_t other;

	(void)state;
	start(&f, &following.recent, 100 << 20);
	grow(&f, 200000);
	assert_true(recent_read(following.recent, 0, 200000, &got));
	recent_release(following.recent, &got);
	following.at = store_len(f.store);
	must(following.at < RECENT_LEN); /* the same block */
	grow(&f, 100000);
	stalls = true;
	must(pthread_create(&other, NULL, read_one, &following) == 0);
	while (!stalled && !following.ended)
		usleep(1000);
	bool had = recent_read(following.recent, 1000, 100000, &got), waited = gave_up;
	stalls = false;
	pthread_join(other, NULL);
	assert_true(stalled);
	assert_true(had);
	assert_false(waited);
	assert_true(right(&f, &got, 1000));
	recent_release(following.recent, &got);
	end(&f, following.recent);
}

static void *follow(void *arg)
{
	struct following *following = arg;
	struct recent_got got;
	uint64_t at = 0;

	while (!following->ended || at < store_len(following->f->store)) {
		if (!recent_read(following->recent, at, MOST, &got)) {
			at = store_len(following->f->store) - at > NEAR_ENOUGH ? store_len(following->f->store) : at;
			continue;
		}
		following->wrong += !right(following->f, &got, at);
		at += got.len;
		recent_release(following->recent, &got);
		following->reads++;
	}
	return NULL;
}

static void many_follow_what_grows(void **state)
{
	enum { FOLLOWERS = 4 };
	struct fixture f;
	struct following following = {.f = &f};
	pthread_t threads[FOLLOWERS];

	(void)state;
	start(&f, &following.recent, 3 << 20);
	for (int i = 0; i < FOLLOWERS; i++)
		must(pthread_create(&threads[i], NULL, follow, &following) == 0);
	for (int i = 0; i < 200; i++)
		grow(&f, 50000);
	following.ended = true;
	for (int i = 0; i < FOLLOWERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(following.wrong, 0);
	assert_true(following.reads > 0);
	end(&f, following.recent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_reads_near_the_end_get_what_is_shown),
	    cmocka_unit_test(what_is_held_stays_until_it_is_released),
	    cmocka_unit_test(where_all_are_held_it_is_read_otherwise),
	    cmocka_unit_test(damaged_bytes_are_not_given_out),
	    cmocka_unit_test(who_has_his_bytes_there_waits_for_no_disk),
	    cmocka_unit_test(many_follow_what_grows),
	};
	return cmocka_run_group_tests_name("recent", tests, NULL, NULL);
}
