#include "ingest.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "await.h"
#include "clock.h"
#include "intake.h"
#include "log.h"
#include "rush.h"

enum {
	PAUSE_FIRST_MS = 200,
	PAUSE_MOST_MS = 10000,
	TICK_MS = 1000,        /* the longest wait while streaming; then idle WAL is looked at */
	CONFIRM_MS = 5000,     /* a sign of life at least this often */
	CAUGHT_UP_MS = 10000,  /* how often it is noted that all is here */
	SPACE_MORE = 64 << 10, /* on a full disk: that much more is worth a try */
	SPACE_RETRY_MS = 10000,
	EVENTS_PER_ROUND = 64,  /* before commits at hand are handed to the other thread */
	ROUND_SMALL = 32 << 10, /* bytes: the source has not much to say */
	CONFIRM_LATER_US =
	    500,         /* after new lines were shown: what the server does then would be in their readers' way */
	GATHER_US = 700, /* for which it may be left alone then */
	STREAM_US = 200, /* and within a large transaction: its socket does not fill meanwhile */
};

struct ingest {
	struct store *store;
	struct writer *writer;
	struct durable *durable; /* the writer's */
	struct source *source;
	void (*ended)(void *);
	void *ctx;
	pthread_t receiver, syncer;
	int wakefd; /* readable: something is synced, or it is time to stop */

	/* the receiver's */
	struct origin origin;
	struct intake intake;
	bool reply;    /* the source asked for an answer */
	bool streamed; /* once, since it was started */
	uint64_t told_lsn;
	int64_t told_ms, idle_ms;
	struct rush rush;
	int64_t noted_ms;                        /* when the file was told that all is here; 0: not yet */
	size_t unplaced_added, unplaced_removed; /* those that are in the status */

	pthread_mutex_t lock; /* all below */
	struct ingest_status status;
	int64_t caught_up_ms;
	bool stop, failed;
	bool looks; /* the receiver, in a moment, by itself: it is not woken for what is synced */
	int failure;
	struct err reason;
};

/* ---- between the threads ------------------------------------------------ */

static void wake(struct ingest *in)
{
	uint64_t one = 1;

	if (write(in->wakefd, &one, sizeof one) < 0) {
		/* the counter is at its top: readable, which is all that is wanted */
	}
}

static void tell_synced(struct ingest *in)
{
	pthread_mutex_lock(&in->lock);
	bool looks = in->looks;
	pthread_mutex_unlock(&in->lock);
	if (!looks)
		wake(in);
}

static bool stopping(struct ingest *in)
{
	pthread_mutex_lock(&in->lock);
	bool stop = in->stop || in->failed;
	pthread_mutex_unlock(&in->lock);
	return stop;
}

/* Under the lock. */
static void note_error(struct ingest *in, const char *error)
{
	snprintf(in->status.last_error, sizeof in->status.last_error, "%s", error);
	in->status.last_error_time = (uint64_t)time(NULL);
}

/* After a final error the state stays: its own thread may not know of it yet. */
static void set_state(struct ingest *in, const char *state, const char *error)
{
	pthread_mutex_lock(&in->lock);
	if (!in->failed) {
		in->status.state = state;
		if (error)
			note_error(in, error);
	}
	pthread_mutex_unlock(&in->lock);
}

/* The first final error counts; both threads end. */
static void fail(struct ingest *in, int code, const struct err *err)
{
	pthread_mutex_lock(&in->lock);
	bool first = !in->failed;
	if (first) {
		in->failed = true;
		in->failure = code;
		in->reason = *err;
		in->status.state = "stopped";
		note_error(in, err->text);
	}
	pthread_mutex_unlock(&in->lock);
	if (!first)
		return;
	durable_stop(in->durable);
	wake(in);
	in->ended(in->ctx);
}

/* Waits for the source (fd, or -1), the other thread or a stop. True: it was not the source that ended it. */
static bool wait_us(struct ingest *in, int fd, int64_t timeout_us)
{
	struct pollfd fds[2] = {{in->wakefd, POLLIN, 0}, {fd, POLLIN, 0}};
	uint64_t count;

	await_us(fds, fd < 0 ? 1 : 2, timeout_us);
	if (fds[0].revents && read(in->wakefd, &count, sizeof count) < 0) {
		/* nothing to take: somebody else's wake-up was ours */
	}
	return fds[0].revents && !fds[1].revents;
}

static bool wait_for(struct ingest *in, int fd, int timeout_ms)
{
	return wait_us(in, fd, 1000 * (int64_t)timeout_ms);
}

/* ---- answering the source ----------------------------------------------- */

/* For the next start, were this one to end without a word. */
static void note_time(struct ingest *in)
{
	if (in->noted_ms && clock_ms() - in->noted_ms < CAUGHT_UP_MS)
		return;
	in->noted_ms = clock_ms();
	confirmed_set_time(store_confirmed(in->store), time(NULL));
}

static void note_progress(struct ingest *in, uint64_t durable)
{
	pthread_mutex_lock(&in->lock);
	in->status.durable_lsn = durable;
	in->status.source_lsn = in->source->ops->end_lsn(in->source);
	in->status.transactions = in->intake.transactions;
	in->status.lines = in->intake.lines;
	bool all =
	    !in->intake.incoming.open && durable >= in->status.source_lsn && durable >= writer_appended_lsn(in->writer);
	if (all)
		in->caught_up_ms = clock_ms();
	pthread_mutex_unlock(&in->lock);
	if (all)
		note_time(in);
}

static int confirm(struct ingest *in, struct err *err)
{
	uint64_t durable = intake_confirmable(&in->intake);
	int64_t now = clock_ms();

	note_progress(in, durable_lsn(in->durable));
	if (durable == in->told_lsn && !in->reply && now - in->told_ms < CONFIRM_MS)
		return 0;
	in->told_lsn = durable;
	in->told_ms = now;
	in->reply = false;
	return in->source->ops->confirm(in->source, durable, err);
}

/* Idle WAL: all that was sent before it is appended by now. Written down once a
 * second, or when the source asks (it does when it wants to shut down). */
static void offer_idle(struct ingest *in)
{
	int64_t now = clock_ms();

	if (in->intake.incoming.open || in->intake.idle_lsn <= durable_lsn(in->durable))
		return;
	if (in->reply || now - in->idle_ms >= TICK_MS) {
		in->idle_ms = now;
		durable_idle(in->durable, in->intake.idle_lsn);
	}
}

/* The full segment is being synced; the source hears from us meanwhile. */
static int wait_for_sync(void *ctx, struct err *err)
{
	struct ingest *in = ctx;

	wait_for(in, -1, 100);
	return stopping(in) ? -EINTR : confirm(in, err);
}

/* ---- the receiver ------------------------------------------------------- */

static void show_unplaced(struct ingest *in, const struct unplaced *unplaced)
{
	in->unplaced_added = unplaced->added;
	in->unplaced_removed = unplaced->removed;
	pthread_mutex_lock(&in->lock);
	unplaced_print(in->status.unplaced, sizeof in->status.unplaced, unplaced);
	pthread_mutex_unlock(&in->lock);
}

/* Says once of a table that its changes cannot be placed, and shows it in the status. */
static void note_unplaced(struct ingest *in)
{
	const struct unplaced *unplaced = writer_unplaced(in->writer);

	size_t added = unplaced->added - in->unplaced_added;

	if (added == 0 && unplaced->removed == in->unplaced_removed)
		return;
	for (size_t i = added < unplaced->count ? unplaced->count - added : 0; i < unplaced->count; i++)
		log_warn("a row of table %s was changed, and no follower can find it, since the table has no replica "
		         "identity; run: ALTER TABLE ... REPLICA IDENTITY FULL; or give it a primary key, then take "
		         "the table anew (deltamirror --resync=%s)",
		         unplaced->names[i], unplaced->names[i]);
	show_unplaced(in, unplaced);
}

/* Takes what is at hand. 1: there may be more: where that is much, it stops at a commit, since what is handed over in the
 * midst of a transaction is noted for the index once more. */
static int take_round(struct ingest *in, size_t *bytes, struct err *err)
{
	*bytes = 0;
	for (int i = 0; i < EVENTS_PER_ROUND; i++) {
		struct source_event event;
		int r = in->source->ops->receive(in->source, &event, err);
		if (r == 0 && event.kind == SOURCE_LINES)
			r = intake_lines(&in->intake, event.data, event.len, err);
		note_unplaced(in);
		if (r < 0)
			return r;
		*bytes += event.len;
		if (event.kind == SOURCE_NOTHING)
			return 0;
		if (event.kind == SOURCE_LINES && !in->intake.incoming.open && *bytes >= ROUND_SMALL)
			return 1;
		if (event.kind == SOURCE_IDLE) {
			in->reply |= event.reply;
			if ((r = intake_idle(&in->intake, event.lsn, err)) < 0)
				return r;
		}
	}
	return 1;
}

/* Commits that come while the disk is at work are gathered, and handed over when it is free: small transactions would
 * wake a thread each, and none would be on disk any sooner. In a rush some more wait, and so do those behind which a
 * transaction is open. The source's question does not. */
static bool gathers(struct ingest *in)
{
	int64_t now = clock_ms();

	return !in->reply &&
	       (durable_busy(in->durable) || rush_holds(&in->rush, now) ||
	        (in->intake.incoming.open && writer_has_new(in->writer) && rush_handed_lately(&in->rush, now)));
}

/* Commits; of an open transaction the writer writes whole blocks by itself. */
static int hand_over(struct ingest *in, struct err *err)
{
	int r = 0;

	if (writer_has_new(in->writer)) {
		r = writer_flush(in->writer, err);
		rush_handed(&in->rush, clock_ms());
	}
	if (r == 0)
		offer_idle(in);
	return r;
}

static void set_looks(struct ingest *in, bool looks)
{
	pthread_mutex_lock(&in->lock);
	in->looks = looks;
	pthread_mutex_unlock(&in->lock);
}

/* The source is left alone for a moment; in a rush the other thread does not end that, either. */
static void rest(struct ingest *in)
{
	set_looks(in, in->rush.on);
	wait_us(in, -1, GATHER_US);
	set_looks(in, false);
}

/* Commits are being synced: until the source has more, for a moment. The other thread does not end that: who waits for
 * what it shows would wait for this one, too, which only has to tell the server. */
static void linger(struct ingest *in)
{
	set_looks(in, true);
	wait_us(in, in->source->ops->fd(in->source), GATHER_US);
	set_looks(in, false);
}

static int stream(struct ingest *in, struct err *err)
{
	size_t bytes;
	int r;

	while (!stopping(in)) {
		int more = take_round(in, &bytes, err);
		if (more < 0)
			return more;
		rush_looked(&in->rush, in->intake.transactions, bytes, more);
		bool gather = gathers(in);
		if ((!gather && (r = hand_over(in, err)) < 0) || (r = confirm(in, err)) < 0)
			return r;
		if (more)
			continue;
		/* One that finds us asleep at each message has to wake us each time. */
		if (in->intake.incoming.open && bytes >= ROUND_SMALL)
			wait_us(in, -1, STREAM_US);
		else if (gather && bytes < ROUND_SMALL)
			rest(in);
		else if (!gather && durable_busy(in->durable))
			linger(in);
		else if (wait_for(in, in->source->ops->fd(in->source), gather ? 1 : TICK_MS))
			wait_us(in, in->source->ops->fd(in->source), CONFIRM_LATER_US);
	}
	return -EINTR;
}

static bool is_full(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

/* One connection, from start to end. *settled: it went well for a while, or something new came, so that the next one
 * need not wait. */
static int follow(struct ingest *in, bool *settled, struct err *err)
{
	uint64_t durable = durable_lsn(in->durable), appended = writer_appended_lsn(in->writer);
	uint64_t resume = appended > durable ? appended : durable;

	wait_for(in, -1, 0); /* takes wake-ups of the last connection */
	if (stopping(in))    /* the one to stop may have been among them */
		return -EINTR;
	/* Of other tables than before, what came again would not be what is held. */
	in->source->skips = in->intake.undefined || in->source->choice != durable_choice(in->durable);
	int r = in->source->ops->start(in->source, &in->origin, resume, in->wakefd, err);

	if (r < 0)
		return r;
	in->intake.undefined = false;
	int64_t since = clock_ms();
	intake_start(&in->intake, resume);
	writer_timeline(in->writer, in->origin.timeline);
	in->reply = false;
	in->streamed = true;
	in->told_lsn = 0;
	if ((r = intake_note(&in->intake, in->wakefd, err)) < 0) {
		in->source->ops->stop(in->source);
		return r;
	}
	set_state(in, "streaming", NULL);
	log_info("streaming from slot \"%s\"", in->origin.slot);
	r = stream(in, err);
	/* So that the server is told the last that is durable, as far as it listens. */
	if (r == -EINTR)
		confirm(in, &(struct err){0});
	in->source->ops->stop(in->source);
	*settled = writer_appended_lsn(in->writer) > appended || clock_ms() - since >= PAUSE_MOST_MS;
	struct err why;
	int left = writer_rollback(in->writer, &why);
	/* Commits that were gathered are whole, whatever comes behind them. */
	int flushed = left == 0 && !is_full(r) && r != -ENOMEM ? writer_flush(in->writer, &why) : 0;
	if (r == -EINTR || r == -EAGAIN)
		left = left ? left : flushed;
	if (left < 0) {
		*err = why;
		return left;
	}
	return r;
}

/* Bytes that can still be written to the store's disk. */
static uint64_t space(struct ingest *in)
{
	struct statvfs st;

	return fstatvfs(store_dirfd(in->store), &st) == 0 ? (uint64_t)st.f_bavail * st.f_frsize : 0;
}

/* The disk is full. The connection is closed meanwhile, since a server that wants
 * to stop waits until we have taken all that it has. Tried again when there is
 * more space than what was not enough, or from time to time. */
static void wait_for_space(struct ingest *in, const struct err *reason)
{
	uint64_t had = space(in);
	int64_t since = clock_ms();
	struct err err;

	log_error("%s; waiting for space, nothing is lost", reason->text);
	set_state(in, "waiting", reason->text);
	while (!stopping(in) && space(in) < had + SPACE_MORE && clock_ms() - since < SPACE_RETRY_MS)
		wait_for(in, -1, TICK_MS);
	/* Commits that were received and are buffered still. */
	if (!stopping(in) && writer_flush(in->writer, &err) == 0)
		log_info("going on");
}

static void *receive_thread(void *arg)
{
	struct ingest *in = arg;
	struct err err = {""}, said = {""};
	int pause = PAUSE_FIRST_MS;

	while (!stopping(in)) {
		bool settled = false;
		int r = follow(in, &settled, &err);
		if (r == -EACCES && in->streamed) /* a password that is being changed must not take the mount away */
			r = -EAGAIN;
		if (stopping(in))
			break;
		if (settled || is_full(r)) { /* what is said from now on is news */
			pause = PAUSE_FIRST_MS;
			said.text[0] = 0;
		}
		if (r == -EINTR) { /* woken by the other thread, not to stop */
			wait_for(in, -1, 0);
			continue;
		}
		if (is_full(r)) {
			wait_for_space(in, &err);
			continue;
		}
		if (r != -EAGAIN) {
			fail(in, r, &err);
			break;
		}
		set_state(in, "connecting", err.text);
		/* What keeps it from going on may be another reason than what ended it. */
		if (!err_same(&err, &said))
			log_warn("%s; trying again", err.text);
		said = err;
		wait_for(in, -1, pause);
		pause = pause * 2 < PAUSE_MOST_MS ? pause * 2 : PAUSE_MOST_MS;
	}
	return NULL;
}

/* ---- the syncer --------------------------------------------------------- */

static void *sync_thread(void *arg)
{
	struct ingest *in = arg;
	struct err err = {""};
	int r;

	do {
		bool stop = stopping(in);
		r = durable_sync(in->durable, TICK_MS, &err);
		if (r < 0)
			fail(in, r, &err);
		else if (r == 1)
			tell_synced(in);
		else if (stop)
			break; /* nothing was left to sync */
	} while (r >= 0);
	return NULL;
}

/* ---- starting and stopping ---------------------------------------------- */

static void request_stop(struct ingest *in)
{
	pthread_mutex_lock(&in->lock);
	in->stop = true;
	pthread_mutex_unlock(&in->lock);
}

static void stop_syncer(struct ingest *in)
{
	request_stop(in);
	durable_stop(in->durable);
	pthread_join(in->syncer, NULL);
}

static void free_ingest(struct ingest *in)
{
	if (in->wakefd >= 0)
		close(in->wakefd);
	pthread_mutex_destroy(&in->lock);
	free(in);
}

/* At a start: what came last was either idle WAL, which is confirmed when all else is on disk, or a commit, and what
 * the server has had since is not known. */
static int64_t seconds_since_caught_up(struct store *store, const struct store_end *end)
{
	const struct confirmed_file *confirmed = store_confirmed(store);
	int64_t since = (int64_t)end->last.epoch, now = (int64_t)time(NULL);

	if (confirmed->now.idle_lsn > end->lsn && confirmed->written > since)
		since = confirmed->written;
	return now > since ? now - since : 0;
}

/* Until now, for the next start. */
static void note_caught_up(struct ingest *in)
{
	struct ingest_status status;

	ingest_status(in, &status);
	if (status.source_lsn > 0 && status.durable_lsn >= status.source_lsn)
		confirmed_set_time(store_confirmed(in->store), time(NULL));
}

int ingest_start(struct ingest **out, struct store *store, struct writer *writer, struct source *source,
                 void (*ended)(void *ctx), void *ctx, struct err *err)
{
	struct ingest *in = calloc(1, sizeof *in);
	struct store_end end;

	*out = NULL;
	if (!in)
		return err_set(err, -ENOMEM, "out of memory");
	*in = (struct ingest){.store = store,
	                      .writer = writer,
	                      .durable = writer_durable(writer),
	                      .source = source,
	                      .ended = ended,
	                      .ctx = ctx,
	                      .intake = {.source = source, .writer = writer, .wait = wait_for_sync, .ctx = in}};
	store_end(store, &end);
	in->origin = end.origin;
	in->status.state = "connecting";
	in->caught_up_ms = clock_ms() - 1000 * seconds_since_caught_up(store, &end);
	pthread_mutex_init(&in->lock, NULL);
	show_unplaced(in, writer_unplaced(writer));
	in->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (in->wakefd < 0 || (errno = pthread_create(&in->syncer, NULL, sync_thread, in)) != 0) {
		int r = err_errno(err, "starting the ingest threads");
		free_ingest(in);
		return r;
	}
	if ((errno = pthread_create(&in->receiver, NULL, receive_thread, in)) != 0) {
		int r = err_errno(err, "starting the ingest threads");
		stop_syncer(in);
		free_ingest(in);
		return r;
	}
	*out = in;
	return 0;
}

void ingest_status(struct ingest *in, struct ingest_status *status)
{
	pthread_mutex_lock(&in->lock);
	*status = in->status;
	bool behind = status->durable_lsn < status->source_lsn || strcmp(status->state, "streaming") != 0;
	status->lag_seconds = behind ? (uint64_t)(clock_ms() - in->caught_up_ms) / 1000 : 0;
	pthread_mutex_unlock(&in->lock);
}

int ingest_stop(struct ingest *in, struct err *err)
{
	request_stop(in);
	wake(in);
	pthread_join(in->receiver, NULL);
	stop_syncer(in);
	note_caught_up(in);
	int r = in->failed ? in->failure : 0;
	if (r < 0)
		*err = in->reason;
	free_ingest(in);
	return r;
}
