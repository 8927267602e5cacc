/*
 * judge_store TRACE STORE TRUTH FOLDER SEGMENT_SIZE KEEP_BYTES [PART/PARTS]
 * judge_store TRACE FOLDER      makes FOLDER what the trace says it was at its end
 *
 * Loses power at every change of a trace (trace.h) of daystreamfs, daystream init and daystream snapshot, in each way
 * there is (states.h), in FOLDER; starts the store STORE, whose path is relative to the trace's root, with the
 * real code, and compares with TRUTH: the lines that another slot's plugin sent for the same time. From them, fed
 * through ingest into the store as `init` made it (which the note "init" tells), comes the one true stream.
 *
 *  - What is shown is a part of it without a gap that ends on a commit, at least up to the note "seen <position>".
 *  - Nothing stands behind that commit any more.
 *  - Every LSN that was confirmed is durable.
 *  - Going on from there gives the true stream to its end, in the same segments.
 *  - Nothing was given up that had not expired by its size.
 *  - A snapshot that has its name is whole; one of which the note "snapshot <position>" tells is there while its
 *    position is retained. What an unfinished one left is swept.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "find.h"
#include "ingest.h"
#include "snapshots.h"
#include "states.h"
#include "truth.h"

enum { SEEDS_TORN = 2, SEEDS_SECTORS = 3, PROBLEMS_MOST = 10, WAIT_SECONDS = 60 };

/* ---- what is judged ----------------------------------------------------- */

struct mark {
	struct position first;
	size_t off;
};

struct judge {
	struct states *states;
	struct truth truth;
	const char *store_name, *folder;
	uint64_t segment_bytes, keep_bytes;
	char *golden; /* the one true stream */
	size_t golden_len;
	struct mark *segments; /* of it */
	size_t segment_count;

	size_t at; /* the state that is looked at */
	int loss;
	unsigned seed;
	size_t appended; /* how much of the true stream processes had seen in their files */
	struct went_on {
		struct position first, last;
		uint64_t lsn;
	} * went_on; /* from which it went on well, before */
	size_t went_on_count;
	size_t count, problems;
	bool bad;
};

struct opened {
	char path[PATH_MAX];
	struct store *store;
	struct writer *writer;
	struct err err;
};

__attribute__((format(printf, 2, 3))) static void problem(struct judge *judge, const char *format, ...)
{
	static const char *const kinds[] = {"all", "none", "bytes", "names", "zeros", "torn", "shreds", "sectors"};
	va_list args;

	judge->bad = true;
	if (judge->problems++ >= PROBLEMS_MOST)
		return;
	printf("record %zu, loss %s, seed %u: ", judge->at, kinds[judge->loss], judge->seed);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static int open_store(const struct judge *judge, struct opened *opened)
{
	int r = store_open(&opened->store, opened->path, STORE_WRITE, &opened->err);

	return r < 0 ? r : writer_open(&opened->writer, opened->store, judge->segment_bytes, &opened->err);
}

static void close_store(struct opened *opened)
{
	writer_close(opened->writer);
	store_close(opened->store);
	opened->writer = NULL;
	opened->store = NULL;
}

static char *read_shown(struct store *store, size_t *len)
{
	uint64_t base = segments_edge(store_segments(store)).base;
	struct err err;

	*len = (size_t)(store_len(store) - base);
	char *text = malloc(*len + 1);
	must(text && store_read(store, base, text, *len, &err) == (long)*len);
	return text;
}

static void ended(void *ctx)
{
	sem_post(&((struct judge *)ctx)->truth.durable);
}

/* To the end of all that is true. */
static int go_on(struct judge *judge, struct opened *opened)
{
	struct timespec until;
	struct ingest *ingest;
	struct err err;

	judge->truth.forgotten_lsn = states_confirmed(judge->states, judge->at);
	judge->truth.source.choice = store_confirmed(opened->store)->now.choice;
	sem_init(&judge->truth.durable, 0, 0);
	int r = ingest_start(&ingest, opened->store, opened->writer, &judge->truth.source, ended, judge, &opened->err);
	if (r < 0)
		return r;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_SECONDS;
	int waited = sem_timedwait(&judge->truth.durable, &until);
	r = ingest_stop(ingest, &err);
	if (r < 0)
		opened->err = err;
	else if (waited < 0)
		r = err_set(&opened->err, -ETIMEDOUT, "it does not come to its end");
	sem_destroy(&judge->truth.durable);
	return r;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void make(struct judge *judge, struct opened *opened)
{
	*opened = (struct opened){.store = NULL};
	states_make(judge->states, judge->at, (enum states_loss)judge->loss, judge->seed, judge->folder);
	snprintf(opened->path, sizeof opened->path, "%s/%s", judge->folder, judge->store_name);
}

static void unmake(struct judge *judge, struct opened *opened)
{
	close_store(opened);
	must(nftw(judge->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* The true stream, in the segments that it comes in. */
static void make_golden(struct judge *judge)
{
	struct opened opened;

	for (judge->at = 0; judge->at < states_count(judge->states) && !states_note(judge->states, judge->at, "init");)
		judge->at++;
	judge->loss = LOSS_NONE;
	make(judge, &opened);
	if (open_store(judge, &opened) < 0 || go_on(judge, &opened) < 0) {
		printf("the true stream: %s\n", opened.err.text);
		exit(2);
	}
	judge->golden = read_shown(opened.store, &judge->golden_len);
	struct segments_range range = segments_range(store_segments(opened.store));
	judge->segment_count = range.newest + 1;
	must((judge->segments = calloc(judge->segment_count, sizeof *judge->segments)));
	for (size_t i = 0; i < judge->segment_count; i++) {
		struct segments_edge edge = segments_start(store_segments(opened.store), i);
		judge->segments[i] = (struct mark){edge.first, (size_t)edge.base};
	}
	unmake(judge, &opened);
}

/* ---- judging ------------------------------------------------------------ */

/* Which segment of the true stream the store begins with; -1: none. */
static long golden_segment(const struct judge *judge, struct store *store)
{
	struct position first = segments_edge(store_segments(store)).first;

	for (size_t i = 0; i < judge->segment_count; i++)
		if (position_cmp(judge->segments[i].first, first) == 0)
			return (long)i;
	return -1;
}

static bool same_segments(const struct judge *judge, struct store *store, size_t from)
{
	struct segments_range range = segments_range(store_segments(store));

	for (size_t i = range.oldest; i <= range.newest; i++)
		if (from + i - range.oldest >= judge->segment_count ||
		    position_cmp(segments_start(store_segments(store), i).first,
		                 judge->segments[from + i - range.oldest].first) != 0)
			return false;
	return true;
}

/* Nothing is left behind the last commit. */
static void judge_length(struct judge *judge, struct opened *opened)
{
	char name[SEGMENT_NAME_MAX];
	struct store_end end;
	struct stat st;

	store_end(opened->store, &end);
	must(fstatat(store_segments_dirfd(opened->store), segment_name(name, end.first), &st, 0) == 0);
	if ((uint64_t)st.st_size != end.off)
		problem(judge, "%s has %lld bytes, and %llu are whole", name, (long long)st.st_size,
		        (unsigned long long)end.off);
}

static void different(struct judge *judge, const char *shown, size_t len, size_t from)
{
	const char *right = judge->golden + from;
	size_t most = judge->golden_len - from, at = 0;

	while (at < len && at < most && shown[at] == right[at])
		at++;
	for (size_t back = 0; at > 0 && shown[at - 1] != '\n' && back < 200; back++)
		at--;
	problem(judge, "its %zu bytes are not those of the true stream from %zu on: at %zu \"%.*s\", not \"%.*s\"", len,
	        from, at, len - at < 400 ? (int)(len - at) : 400, shown + at, most - at < 400 ? (int)(most - at) : 400,
	        right + at);
}

/* The bytes that are shown; returns the place of the first in the true stream, where all is well. */
static size_t judge_bytes(struct judge *judge, struct opened *opened, size_t *len)
{
	long segment = golden_segment(judge, opened->store);
	char *shown = read_shown(opened->store, len);
	size_t from = segment < 0 ? 0 : judge->segments[segment].off;

	if (segment < 0)
		problem(judge, "its oldest segment is none of the true stream's");
	else if (*len > judge->golden_len - from || memcmp(shown, judge->golden + from, *len) != 0)
		different(judge, shown, *len, from);
	else if (!same_segments(judge, opened->store, (size_t)segment))
		problem(judge, "its segments are not those of the true stream");
	free(shown);
	return from;
}

static void judge_promises(struct judge *judge, struct opened *opened)
{
	const char *seen = states_note(judge->states, judge->at, "seen");
	uint64_t confirmed = states_confirmed(judge->states, judge->at);
	struct position position;
	struct store_end end;

	store_end(opened->store, &end);
	if (seen) {
		must(position_parse(seen, strlen(seen), &position));
		if (position_cmp(end.last, position) < 0)
			problem(judge, "%s was shown to a follower, and it ends at %llu.%llu", seen,
			        (unsigned long long)end.last.epoch, (unsigned long long)end.last.seq);
	}
	uint64_t durable = durable_lsn(writer_durable(opened->writer));
	if (durable < confirmed)
		problem(judge, "%llx was confirmed, and %llx is durable", (unsigned long long)confirmed,
		        (unsigned long long)durable);
}

static void judge_retention(struct judge *judge, struct opened *opened, size_t from, size_t len)
{
	long segment = golden_segment(judge, opened->store);

	if (judge->loss == LOSS_NONE)
		judge->appended = from + len;
	if (segment > 0 && judge->appended - judge->segments[segment - 1].off <= judge->keep_bytes)
		problem(judge, "a segment was given up, while %zu bytes were there",
		        judge->appended - judge->segments[segment - 1].off);
}

static void judge_snapshots(struct judge *judge, struct opened *opened)
{
	int dirfd = store_dirfd(opened->store);
	const char *promised = states_note(judge->states, judge->at, "snapshot");
	struct snapshots_draft draft;
	struct position *list, position = {0};
	uint64_t bytes = 0;
	size_t count;
	bool found = false;

	if (promised)
		must(position_parse(promised, strlen(promised), &position));
	if (snapshots_list(dirfd, &list, &count, &opened->err) < 0)
		problem(judge, "%s", opened->err.text);
	for (size_t i = 0; i < count; i++) {
		found |= position_cmp(list[i], position) == 0;
		if (snapshots_verify(dirfd, list[i], &bytes, &opened->err) < 0)
			problem(judge, "%s", opened->err.text);
	}
	free(list);
	if (promised && !found && !find_given_up(opened->store, position))
		problem(judge, "the snapshot %s, which was told of, is not there", promised);
	if (snapshots_begin(dirfd, &draft, &opened->err) < 0)
		problem(judge, "%s", opened->err.text);
	snapshots_end(&draft);
	if (faccessat(dirfd, "snapshots/taking", F_OK, 0) == 0)
		problem(judge, "what an unfinished snapshot left is still there");
}

/* A store with the same lines and the same LSN goes on as another one did. */
static bool went_on_before(struct judge *judge, struct opened *opened)
{
	struct store_end end;

	store_end(opened->store, &end);
	struct went_on now = {segments_edge(store_segments(opened->store)).first, end.last,
	                      durable_lsn(writer_durable(opened->writer))};
	for (size_t i = 0; i < judge->went_on_count; i++)
		if (memcmp(&judge->went_on[i], &now, sizeof now) == 0)
			return true;
	must((judge->went_on = realloc(judge->went_on, (judge->went_on_count + 1) * sizeof now)));
	judge->went_on[judge->went_on_count++] = now;
	return false;
}

static void judge_going_on(struct judge *judge, struct opened *opened)
{
	size_t len, from;

	if (went_on_before(judge, opened))
		return;
	if (go_on(judge, opened) < 0) {
		problem(judge, "going on: %s", opened->err.text);
		return;
	}
	from = judge_bytes(judge, opened, &len);
	if (!judge->bad && from + len != judge->golden_len)
		problem(judge, "it goes on to %zu of %zu bytes", from + len, judge->golden_len);
	/* A clean end and a start, as after a night: what it holds is whole. */
	close_store(opened);
	if (open_store(judge, opened) < 0)
		problem(judge, "after going on: %s", opened->err.text);
}

static void judge_state(struct judge *judge, bool initialised)
{
	struct opened opened;
	size_t len;

	judge->bad = false;
	judge->count++;
	make(judge, &opened);
	if (open_store(judge, &opened) < 0) {
		if (initialised || !opened.err.text[0])
			problem(judge, "does not start: %s", opened.err.text);
	} else {
		size_t from = judge_bytes(judge, &opened, &len);
		if (initialised && faccessat(store_dirfd(opened.store), "daystream.conf", F_OK, 0) < 0)
			problem(judge, "its settings are gone");
		judge_length(judge, &opened);
		judge_promises(judge, &opened);
		if (!judge->bad)
			judge_retention(judge, &opened, from, len);
		judge_snapshots(judge, &opened);
		if (!judge->bad)
			judge_going_on(judge, &opened);
	}
	unmake(judge, &opened);
}

static void judge_record(struct judge *judge)
{
	/* What processes see comes first: it tells how much was appended. */
	static const struct {
		enum states_loss loss;
		unsigned seeds;
	} kinds[] = {{LOSS_NONE, 1},  {LOSS_ALL, 1},           {LOSS_BYTES, 1},  {LOSS_NAMES, 1},
	             {LOSS_ZEROS, 1}, {LOSS_TORN, SEEDS_TORN}, {LOSS_SHREDS, 1}, {LOSS_SECTORS, SEEDS_SECTORS}};
	bool initialised = states_note(judge->states, judge->at, "init") != NULL;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		for (unsigned seed = 0; seed < kinds[i].seeds && judge->problems < PROBLEMS_MOST; seed++) {
			judge->loss = kinds[i].loss;
			judge->seed = (unsigned)judge->at * 16 + seed;
			judge_state(judge, initialised);
		}
}

int main(int argc, char **argv)
{
	static struct judge judge; /* to the end of the process */
	unsigned part = 0, parts = 1;

	if (argc == 3) {
		judge.states = states_open(argv[1], NULL);
		states_make(judge.states, states_count(judge.states), LOSS_NONE, 0, argv[2]);
		return 0;
	}
	if (argc < 7) {
		fputs("usage: judge_store TRACE STORE TRUTH FOLDER SEGMENT_SIZE KEEP_BYTES [PART/PARTS]\n", stderr);
		return 2;
	}
	judge.states = states_open(argv[1], NULL);
	judge.store_name = argv[2];
	truth_read(&judge.truth, argv[3]);
	judge.folder = argv[4];
	judge.segment_bytes = strtoull(argv[5], NULL, 10);
	judge.keep_bytes = strtoull(argv[6], NULL, 10);
	must(argc < 8 || sscanf(argv[7], "%u/%u", &part, &parts) == 2);
	make_golden(&judge);
	size_t count = states_count(judge.states), changes = 0;
	for (judge.at = states_next(judge.states, 0);; judge.at = states_next(judge.states, judge.at + 1)) {
		if (changes++ % parts == part)
			judge_record(&judge);
		if (judge.at == count)
			break;
	}
	printf("%zu states of %zu changes, %zu bytes in %zu segments, went on from %zu; %zu problems\n", judge.count,
	       changes, judge.golden_len, judge.segment_count, judge.went_on_count, judge.problems);
	return judge.problems > 0;
}
