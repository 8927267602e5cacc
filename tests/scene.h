/*
 * scene.h - ingest for the unit tests, between a made source and a store on a disk that fails when it is told to.
 */
#ifndef TESTS_SCENE_H
#define TESTS_SCENE_H

#include "fixture.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>

#include "ingest.h"

enum {
	TRANSACTIONS = 60,
	PATIENCE_MS = 10000, /* what takes longer never comes */
	BLOCK_MS = 60000,    /* what nobody wakes takes longer */
};

/* ---- a disk ------------------------------------------------------------- */

static _Atomic int write_error, sync_error; /* errno, 0: it works */
static _Atomic int writes_left;             /* before write_error */
static _Atomic unsigned refused;            /* how often */
static _Atomic bool sync_waits, sync_came;  /* until it is taken back; one does */

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
	for (; sync_waits; usleep(500))
		sync_came = true;
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

static inline struct fake *of(struct source *source)
{
	return (struct fake *)source;
}

static inline uint64_t lsn_of(int transaction)
{
	return fixture_lsn + 0x100 * (uint64_t)(transaction + 1);
}

static inline int fake_start(struct source *source, struct origin *origin, uint64_t resume_lsn, int wakefd,
                             struct err *err)
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
		return poll(&wake, 1, BLOCK_MS) > 0 ? -EINTR : err_set(err, -EAGAIN, "nobody answers");
	return refuses ? err_set(err, -EAGAIN, "not yet") : 0;
}

static inline struct source_event next_event(struct fake *fake)
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

static inline int fake_receive(struct source *source, struct source_event *event, struct err *err)
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

static inline int fake_confirm(struct source *source, uint64_t lsn, struct err *err)
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

static inline int fake_fd(const struct source *source)
{
	return ((const struct fake *)source)->fd;
}

static inline uint64_t fake_end_lsn(const struct source *source)
{
	(void)source;
	return lsn_of(TRANSACTIONS);
}

static inline void fake_stop(struct source *source)
{
	(void)source;
}

static inline int fake_existing(struct source *source, char **relids, int wakefd, struct err *err)
{
	(void)source;
	(void)wakefd;
	*relids = strdup("16384 16390");
	return *relids ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static const struct source_ops fake_ops = {fake_start,   fake_receive, fake_confirm, fake_fd,
                                           fake_end_lsn, fake_stop,    fake_stop,    fake_existing};

/* ---- both --------------------------------------------------------------- */

struct scene {
	struct fixture f;
	struct fake fake;
	struct ingest *ingest;
	_Atomic int ended;
};

static char *golden;
static size_t golden_len;

static inline void on_end(void *ctx)
{
	((struct scene *)ctx)->ended++;
}

static inline uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	struct scene *s = *state;
	struct err err;

	write_error = sync_error = 0;
	sync_waits = sync_came = false;
	slow_poll_us = 0;
	if (s->ingest)
		ingest_stop(s->ingest, &err);
	close(s->fake.fd);
	fixture_end(&s->f);
	free(s);
	return 0;
}

static inline void start(struct scene *s)
{
	works(ingest_start(&s->ingest, s->f.store, s->f.writer, &s->fake.source, on_end, s, &s->f.err), s->f.err);
}

static inline int stop(struct scene *s)
{
	uint64_t began = now_ms();
	int r = ingest_stop(s->ingest, &s->f.err);

	s->ingest = NULL;
	if (now_ms() - began > PATIENCE_MS)
		fail_msg("stopping took %lu ms", (unsigned long)(now_ms() - began));
	return r;
}

/* Waits until it is so. */
#define until(so)                                                                                                      \
	do {                                                                                                           \
		uint64_t began_ = now_ms();                                                                            \
		while (!(so)) {                                                                                        \
			if (now_ms() - began_ > PATIENCE_MS)                                                           \
				fail_msg("never: %s", #so);                                                            \
			usleep(500);                                                                                   \
		}                                                                                                      \
	} while (0)

static inline uint64_t confirmed(struct scene *s)
{
	pthread_mutex_lock(&s->fake.lock);
	uint64_t lsn = s->fake.confirmed;
	pthread_mutex_unlock(&s->fake.lock);
	return lsn;
}

static inline bool in_state(struct scene *s, const char *state)
{
	struct ingest_status status;

	ingest_status(s->ingest, &status);
	return strcmp(status.state, state) == 0;
}

static inline void all_is_there(struct scene *s)
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

static inline void keepalive(struct scene *s, uint64_t lsn, bool reply)
{
	uint64_t one = 1;

	pthread_mutex_lock(&s->fake.lock);
	s->fake.idle_lsn = lsn;
	s->fake.reply = reply;
	pthread_mutex_unlock(&s->fake.lock);
	must(write(s->fake.fd, &one, sizeof one) == sizeof one);
}

/* What a source without any trouble gives: the tests compare with it. */
static inline int golden_make(void **state)
{
	setup(state);
	start(*state);
	until(confirmed(*state) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(stop(*state), 0);
	all_is_there(*state);
	return teardown(state);
}

static inline int golden_free(void **state)
{
	(void)state;
	free(golden);
	return 0;
}

#endif
