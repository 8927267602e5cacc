/* From a source to the store, with sources that break, disks that fill, and stops
 * at any time. */
#include "fixture.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>

#include "ingest.h"

enum { TRANSACTIONS = 60 };

/* ---- a disk ------------------------------------------------------------- */

static _Atomic int write_error, sync_error; /* errno, 0: it works */
static _Atomic int writes_left;             /* before write_error */
static _Atomic unsigned refused;            /* how often */

ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	if (write_error && (writes_left <= 0 || writes_left-- <= 0)) {
		refused++;
		errno = write_error;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, buf, len, off);
}

int fdatasync(int fd)
{
	(void)fd;
	if (sync_error) {
		errno = sync_error;
		return -1;
	}
	return 0;
}

/* Widens the moment in which a wake-up could be taken by who does not see why. */
static _Atomic unsigned slow_poll_us;

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

	if (slow_poll_us && timeout_ms == 0)
		usleep(slow_poll_us);
	return ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}

/* ---- a source ----------------------------------------------------------- */

struct fake {
	struct source source;
	struct store *store;
	pthread_mutex_t lock;
	int fd;       /* readable: there is more */
	int last;     /* transactions that there are */
	int at, step; /* the next one, and what of it was sent */
	char text[4096];
	int breaks; /* a connection breaks after so many events; 0: never */
	int events;
	int refuse;           /* so many starts fail */
	bool block;           /* start waits until it is woken */
	const char *nonsense; /* sent in place of the next lines */
	int receive_error;
	uint64_t idle_lsn; /* a keepalive that waits */
	bool reply;
	uint64_t confirmed; /* the most */
	unsigned confirms, starts;
	bool wrong;             /* something was confirmed that is not shown */
	int again;              /* so many transactions are sent again after a start */
	int twist;              /* of another history: their commits have this second */
	uint64_t first_confirm; /* after a start; nothing is sent before it, where something is sent again */
};

static struct fake *of(struct source *source)
{
	return (struct fake *)source;
}

static uint64_t lsn_of(int transaction)
{
	return fixture_lsn + 0x100 * (uint64_t)(transaction + 1);
}

static int fake_start(struct source *source, struct origin *origin, uint64_t resume_lsn, int wakefd, struct err *err)
{
	struct fake *fake = of(source);
	struct pollfd wake = {wakefd, POLLIN, 0};

	(void)origin;
	pthread_mutex_lock(&fake->lock);
	bool block = fake->block, refuses = fake->refuse > 0 && fake->refuse--;
	fake->starts++;
	fake->step = fake->events = 0;
	for (fake->at = 0; fake->at < fake->last && lsn_of(fake->at) <= resume_lsn; fake->at++)
		;
	if (fake->again && fake->at > fake->again) {
		fake->at -= fake->again;
		source->from_lsn = lsn_of(fake->at - 1);
	}
	fake->first_confirm = 0;
	pthread_mutex_unlock(&fake->lock);
	if (block)
		return poll(&wake, 1, 5000) > 0 ? -EINTR : err_set(err, -EAGAIN, "nobody answers");
	return refuses ? err_set(err, -EAGAIN, "not yet") : 0;
}

static struct source_event next_event(struct fake *fake)
{
	struct source_event event = {.kind = SOURCE_LINES, .data = fake->text};
	char lsn[LSN_TEXT_MAX];
	int i = fake->at, second = i / 5 * (i > 30 ? 9000 : 1) % 86400, n;

	switch (fake->step++) {
	case 0:
		n = sprintf(fake->text,
		            "_xid\t%d\t_action\tbegin\ttime\t2017-10-09 %02d:%02d:%02d.25+00\n"
		            "_table\tzzz\t_xid\t%d\t_relid\t1\t_key\ta\t_action\tschema\ta\tnumber\\t1\\ttype\\ttext\n"
		            "_table\tzzz\t_xid\t%d\t_action\tinsert\ta\t%d",
		            i, second / 3600, second / 60 % 60, second % 60, i, i, i);
		break;
	case 1: n = sprintf(fake->text, "_table\tzzz\t_xid\t%d\t_action\tinsert\ta\t-%d", i, i); break;
	default:
		n = sprintf(fake->text, "_xid\t%d\t_action\tcommit\tlsn\t%s\ttime\t2017-10-09 00:00:0%d+00", i,
		            lsn_print(lsn, lsn_of(i)), fake->twist);
		fake->step = 0;
		fake->at++;
	}
	event.len = (size_t)n;
	return event;
}

static int fake_receive(struct source *source, struct source_event *event, struct err *err)
{
	struct fake *fake = of(source);
	uint64_t count;
	int r = 0;

	*event = (struct source_event){.kind = SOURCE_NOTHING};
	pthread_mutex_lock(&fake->lock);
	if (fake->receive_error) {
		r = err_set(err, fake->receive_error, "the source says no");
	} else if (fake->again && !fake->first_confirm) {
		/* it is still looking for the place */
	} else if (fake->breaks && ++fake->events > fake->breaks) {
		r = err_set(err, -EAGAIN, "the connection broke");
	} else if (fake->nonsense) {
		*event = (struct source_event){SOURCE_LINES, fake->nonsense, strlen(fake->nonsense), 0, false};
		fake->nonsense = NULL;
	} else if (fake->at < fake->last) {
		*event = next_event(fake);
	} else if (fake->idle_lsn) {
		*event = (struct source_event){SOURCE_IDLE, NULL, 0, fake->idle_lsn, fake->reply};
		fake->idle_lsn = 0;
	} else if (read(fake->fd, &count, sizeof count) < 0) {
		/* nobody wrote */
	}
	pthread_mutex_unlock(&fake->lock);
	return r;
}

static int fake_confirm(struct source *source, uint64_t lsn, struct err *err)
{
	struct fake *fake = of(source);
	struct store_end end;

	(void)err;
	store_end(fake->store, &end);
	pthread_mutex_lock(&fake->lock);
	for (int i = 0; i < fake->last; i++)
		if (lsn_of(i) <= lsn && lsn_of(i) > end.lsn)
			fake->wrong = true;
	if (lsn > fake->confirmed)
		fake->confirmed = lsn;
	if (!fake->first_confirm)
		fake->first_confirm = lsn;
	fake->confirms++;
	pthread_mutex_unlock(&fake->lock);
	return 0;
}

static int fake_fd(const struct source *source)
{
	return ((const struct fake *)source)->fd;
}

static uint64_t fake_end_lsn(const struct source *source)
{
	(void)source;
	return lsn_of(TRANSACTIONS);
}

static void fake_stop(struct source *source)
{
	(void)source;
}

static const struct source_ops fake_ops = {fake_start,   fake_receive, fake_confirm, fake_fd,
                                           fake_end_lsn, fake_stop,    fake_stop};

/* ---- both --------------------------------------------------------------- */

struct scene {
	struct fixture f;
	struct fake fake;
	struct ingest *ingest;
	_Atomic int ended;
};

static char *golden;
static size_t golden_len;

static void on_end(void *ctx)
{
	((struct scene *)ctx)->ended++;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof *s);

	must(s);
	fixture_start(&s->f, 1500);
	s->fake.source.ops = &fake_ops;
	s->fake.store = s->f.store;
	s->fake.last = TRANSACTIONS;
	s->fake.fd = eventfd(0, EFD_NONBLOCK);
	pthread_mutex_init(&s->fake.lock, NULL);
	write_error = sync_error = writes_left = 0;
	refused = 0;
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;
	struct err err;

	write_error = sync_error = 0;
	slow_poll_us = 0;
	if (s->ingest)
		ingest_stop(s->ingest, &err);
	close(s->fake.fd);
	fixture_end(&s->f);
	free(s);
	return 0;
}

static void start(struct scene *s)
{
	works(ingest_start(&s->ingest, s->f.store, s->f.writer, &s->fake.source, on_end, s, &s->f.err), s->f.err);
}

static int stop(struct scene *s)
{
	uint64_t began = now_ms();
	int r = ingest_stop(s->ingest, &s->f.err);

	s->ingest = NULL;
	if (now_ms() - began > 2500)
		fail_msg("stopping took %lu ms", (unsigned long)(now_ms() - began));
	return r;
}

/* Waits until it is so; fails after ten seconds. */
#define until(so)                                                                                                      \
	do {                                                                                                           \
		uint64_t began_ = now_ms();                                                                            \
		while (!(so)) {                                                                                        \
			if (now_ms() - began_ > 10000)                                                                 \
				fail_msg("never: %s", #so);                                                            \
			usleep(500);                                                                                   \
		}                                                                                                      \
	} while (0)

static uint64_t confirmed(struct scene *s)
{
	pthread_mutex_lock(&s->fake.lock);
	uint64_t lsn = s->fake.confirmed;
	pthread_mutex_unlock(&s->fake.lock);
	return lsn;
}

static bool in_state(struct scene *s, const char *state)
{
	struct ingest_status status;

	ingest_status(s->ingest, &status);
	return strcmp(status.state, state) == 0;
}

static void all_is_there(struct scene *s)
{
	size_t len;
	char *text = fixture_shown(s->f.store, &len);

	assert_false(s->fake.wrong);
	if (!golden) {
		golden = text;
		golden_len = len;
		return;
	}
	assert_int_equal(len, golden_len);
	assert_memory_equal(text, golden, len);
	free(text);
}

static void what_the_source_sends_is_shown_and_confirmed(void **state)
{
	struct scene *s = *state;

	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
	assert_int_equal(s->ended, 0);
}

static void followed_up_to(struct scene *s, int last)
{
	s->fake.last = last;
	start(s);
	until(confirmed(s) == lsn_of(last - 1));
	assert_int_equal(stop(s), 0);
}

static void what_comes_again_is_left_out(void **state)
{
	struct scene *s = *state;

	followed_up_to(s, 35);
	s->fake.again = 5;
	followed_up_to(s, TRANSACTIONS);
	assert_int_equal(s->fake.first_confirm, lsn_of(29));
	all_is_there(s);
}

static void another_history_ends_it_and_is_not_confirmed(void **state)
{
	struct scene *s = *state;

	followed_up_to(s, 35);
	s->fake.again = 5;
	s->fake.twist = 1;
	s->fake.last = TRANSACTIONS;
	start(s);
	until(s->ended);
	assert_int_equal(stop(s), -EPROTO);
	assert_non_null(strstr(s->f.err.text, "history"));
	assert_int_equal(s->fake.first_confirm, lsn_of(29));
	assert_int_equal(confirmed(s), lsn_of(34));
}

static void a_connection_that_breaks_loses_and_repeats_nothing(void **state)
{
	struct scene *s = *state;

	for (int breaks = 4; breaks < 12; breaks += 3) {
		s->fake.breaks = breaks;
		start(s);
		for (int i = 0; i < 4; i++) {
			uint64_t before = confirmed(s);
			until(confirmed(s) > before || confirmed(s) == lsn_of(TRANSACTIONS - 1));
		}
		assert_int_equal(stop(s), 0);
	}
	s->fake.breaks = 0;
	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

static void a_source_that_is_not_there_is_tried_again(void **state)
{
	struct scene *s = *state;

	s->fake.refuse = 2;
	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(s->fake.starts, 3);
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

static void stops_and_starts_change_nothing(void **state)
{
	struct scene *s = *state;
	unsigned seed = 7;

	for (int i = 0; i < 60; i++) {
		start(s);
		usleep((unsigned)rand_r(&seed) % 400);
		assert_int_equal(stop(s), 0);
		if (i % 3)
			continue;
		fixture_close(&s->f);
		fixture_open(&s->f, 1500);
		s->fake.store = s->f.store;
	}
	fixture_close(&s->f);
	fixture_open(&s->f, 1500);
	s->fake.store = s->f.store;
	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

static void a_stop_is_never_missed_while_connecting(void **state)
{
	struct scene *s = *state;
	unsigned seed = 7;

	s->fake.block = true;
	slow_poll_us = 300;
	for (int i = 0; i < 100; i++) {
		start(s);
		usleep((unsigned)rand_r(&seed) % 400);
		assert_int_equal(stop(s), 0);
		fixture_close(&s->f); /* since a writer that was stopped stays so */
		fixture_open(&s->f, 1500);
	}
}

static void a_final_error_ends_it_and_is_told(void **state)
{
	struct scene *s = *state;

	s->fake.receive_error = -EPROTO;
	start(s);
	until(s->ended);
	assert_true(in_state(s, "stopped"));
	assert_int_equal(stop(s), -EPROTO);
	assert_string_equal(s->f.err.text, "the source says no");
	assert_int_equal(s->ended, 1);
}

#define BEGIN "_xid\t1\t_action\tbegin\ttime\t2017-10-09 00:00:00+00\n"
#define COMMIT "\n_xid\t1\t_action\tcommit\tlsn\tFF/0\ttime\tx"
static void nonsense_ends_it(void **state)
{
	static const char *const lines[] = {
	    "nonsense", "", "\n", "_xid\t1\t_action\tbegin", "_xid\t1\t_action\tbegin\ttime\tnow",
	    "_xid\t1\t_action\tbegin\ttime\t2017-10-09 00:00:00+00\n_xid\t1\t_action\tbegin\ttime\t2017-10-09 "
	    "00:00:00+00",
	    "_table\tzzz\t_xid\t1\t_action\tinsert\ta\t1", "_xid\t1\t_action\tcommit\tlsn\t0/1\ttime\tx",
	    "_c\t1\t_s\t1\t_xid\t1\t_action\tbegin\ttime\t2017-10-09 00:00:00+00",
	    "_xid\t1\t_action\tbegin\ttime\t2017-10-09 00:00:00+00\n_xid\t1\t_action\tcommit\tlsn\tx\ttime\tx",
	    "_xid\t1\t_action\tbegin\ttime\t2017-10-09 "
	    "00:00:00+00\n_xid\t1\t_action\tcommit\tlsn\t0/1\ttime\tx\tcrc\t01234567",
	    "_xid\t1\t_action\tbegin\ttime\t2017-10-09 00:00:00+00\n_table\tt\t_xid\t1\t_action\tschema\ta\tb",
	    /* What the daemon alone writes; what no reader could place or understand; a commit before its time. */
	    BEGIN "_xid\t1\t_action\torigin\tsystem\t1\ttimeline\t1\tdatabase\td\tslot\ts\tgeneration\t2" COMMIT,
	    BEGIN "_xid\t1\t_action\tinsert\ta\t1" COMMIT, BEGIN "_table\t\t_xid\t1\t_action\tinsert\ta\t1" COMMIT,
	    BEGIN "_table\t\\N\t_xid\t1\t_action\tinsert\ta\t1" COMMIT,
	    BEGIN "_table\tt\t_xid\t2\t_action\tinsert\ta\t1" COMMIT,
	    BEGIN "_table\tt\t_xid\t1\t_action\tinsert\ta\t1\tb" COMMIT,
	    BEGIN "_table\tt\t_xid\t1\t_action\tinsert\ta\t\\q" COMMIT,
	    BEGIN "_table\tt\t_xid\t1\t_action\tinsert\ta\t1\r" COMMIT,
	    BEGIN "_table\tt\t_xid\t1\t_action\tinsert\ta\t\xc3" COMMIT,
	    BEGIN "_table\tt\t_xid\t1\t_action\tinsert\ta\t1\n_xid\t1\t_action\tcommit\tlsn\t0/1\ttime\tx",
	    BEGIN "_table\tt\t_xid\t1\t_action\tinsert\ta\t1\n_table\tt\t_xid\t1\t_action\tcommit\tlsn\tFF/0\ttime\tx"};
	struct scene *s = *state;

	s->fake.last = 0;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		size_t len = (size_t)store_len(s->f.store);
		s->ended = 0;
		s->fake.nonsense = lines[i];
		start(s);
		if (*lines[i]) {
			until(s->ended);
			assert_true(stop(s) < 0);
		} else {
			assert_int_equal(stop(s), 0);
		}
		fixture_close(&s->f);
		fixture_open(&s->f, 1500);
		assert_int_equal(store_len(s->f.store), len);
		s->fake.store = s->f.store;
	}
}

/* A transaction that was replicated has its origin's time. */
static void any_time_of_an_origin_is_taken(void **state)
{
	static const char *const times[] = {"infinity", "-infinity", "294276-12-31 23:59:59.999999+00",
	                                    "2500-03-15 00:00:00+00 BC", "1969-12-31 00:00:00+00"};
	struct scene *s = *state;
	struct store_end before, after;
	char lines[512];

	s->fake.last = 0;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		store_end(s->f.store, &before);
		snprintf(lines, sizeof lines,
		         "_xid\t7\t_action\tbegin\ttime\t%s\n_xid\t7\t_action\tmessage\tprefix\t\tcontent\t\n"
		         "_xid\t7\t_action\tcommit\tlsn\tFF/%zu0\ttime\t%s",
		         times[i], i + 1, times[i]);
		s->fake.nonsense = lines;
		start(s);
		until(s->ended || store_len(s->f.store) > before.off);
		assert_int_equal(stop(s), 0);
		store_end(s->f.store, &after);
		assert_int_equal(after.last.epoch, before.last.epoch);
		assert_int_equal(after.last.seq, before.last.seq + 2);
	}
}

static void a_full_disk_is_waited_for(void **state)
{
	struct scene *s = *state;

	writes_left = 5;
	write_error = ENOSPC;
	start(s);
	until(in_state(s, "waiting"));
	usleep(1200000);
	assert_true(in_state(s, "waiting"));
	assert_in_range(refused, 1, 20); /* not again and again */
	write_error = 0;
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	until(in_state(s, "streaming"));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

static void a_stop_while_the_disk_is_full_is_quick_and_loses_nothing(void **state)
{
	struct scene *s = *state;

	for (int left = 0; left < 6; left += 2) {
		writes_left = left;
		write_error = ENOSPC;
		start(s);
		until(in_state(s, "waiting"));
		assert_int_equal(stop(s), 0);
		fixture_close(&s->f);
		write_error = 0;
		fixture_open(&s->f, 1500);
		s->fake.store = s->f.store;
	}
	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

static void a_failed_write_or_sync_ends_it(void **state)
{
	struct scene *s = *state;

	for (int i = 0; i < 2; i++) {
		s->ended = 0;
		if (i)
			sync_error = EIO;
		else
			write_error = EIO;
		start(s);
		until(s->ended == 1);
		assert_int_equal(stop(s), -EIO);
		write_error = sync_error = 0;
		fixture_close(&s->f);
		fixture_open(&s->f, 1500);
		s->fake.store = s->f.store;
	}
	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

static void keepalive(struct scene *s, uint64_t lsn, bool reply)
{
	uint64_t one = 1;

	pthread_mutex_lock(&s->fake.lock);
	s->fake.idle_lsn = lsn;
	s->fake.reply = reply;
	pthread_mutex_unlock(&s->fake.lock);
	must(write(s->fake.fd, &one, sizeof one) == sizeof one);
}

static void idle_wal_is_confirmed_soon_and_at_once_where_asked(void **state)
{
	struct scene *s = *state;

	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	keepalive(s, lsn_of(TRANSACTIONS) + 0x10, false);
	until(confirmed(s) == lsn_of(TRANSACTIONS) + 0x10);
	keepalive(s, lsn_of(TRANSACTIONS) + 0x20, false);
	until(confirmed(s) == lsn_of(TRANSACTIONS) + 0x20);
	uint64_t began = now_ms();
	keepalive(s, lsn_of(TRANSACTIONS) + 0x30, true);
	until(confirmed(s) == lsn_of(TRANSACTIONS) + 0x30);
	assert_in_range(now_ms() - began, 0, 700);
	assert_int_equal(stop(s), 0);
	assert_true(store_confirmed(s->f.store)->now.idle_lsn == lsn_of(TRANSACTIONS) + 0x30);
	all_is_there(s);
}

static void an_answer_is_sent_though_nothing_is_new(void **state)
{
	struct scene *s = *state;

	s->fake.last = 0;
	start(s);
	until(in_state(s, "streaming"));
	pthread_mutex_lock(&s->fake.lock);
	unsigned before = s->fake.confirms;
	pthread_mutex_unlock(&s->fake.lock);
	keepalive(s, 1, true);
	uint64_t began = now_ms();
	for (unsigned now = before; now == before;) {
		pthread_mutex_lock(&s->fake.lock);
		now = s->fake.confirms;
		pthread_mutex_unlock(&s->fake.lock);
		if (now_ms() - began > 700)
			fail_msg("no answer");
	}
	assert_int_equal(stop(s), 0);
}

static void a_full_disk_does_not_spin_on_idle_wal(void **state)
{
	struct scene *s = *state;

	s->fake.last = 0;
	start(s);
	until(in_state(s, "streaming"));
	write_error = ENOSPC;
	keepalive(s, lsn_of(3), false);
	until(refused > 0);
	usleep(1500000);
	assert_in_range(refused, 1, 6);
	assert_true(confirmed(s) < lsn_of(3));
	write_error = 0;
	until(confirmed(s) == lsn_of(3));
	assert_int_equal(stop(s), 0);
}

static int end(void **state)
{
	(void)state;
	free(golden);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(what_the_source_sends_is_shown_and_confirmed),
	    TEST(what_comes_again_is_left_out),
	    TEST(another_history_ends_it_and_is_not_confirmed),
	    TEST(a_connection_that_breaks_loses_and_repeats_nothing),
	    TEST(a_source_that_is_not_there_is_tried_again),
	    TEST(stops_and_starts_change_nothing),
	    TEST(a_stop_is_never_missed_while_connecting),
	    TEST(a_final_error_ends_it_and_is_told),
	    TEST(nonsense_ends_it),
	    TEST(any_time_of_an_origin_is_taken),
	    TEST(a_full_disk_is_waited_for),
	    TEST(a_stop_while_the_disk_is_full_is_quick_and_loses_nothing),
	    TEST(a_failed_write_or_sync_ends_it),
	    TEST(idle_wal_is_confirmed_soon_and_at_once_where_asked),
	    TEST(an_answer_is_sent_though_nothing_is_new),
	    TEST(a_full_disk_does_not_spin_on_idle_wal),
	};
	return cmocka_run_group_tests_name("ingest", tests, NULL, end);
}
