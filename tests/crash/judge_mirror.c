/*
 * judge_mirror.c - is a mirror right, whatever a loss of power leaves of it?
 *
 *     judge_mirror TRACE MOUNT NAME STATES [RECORD KIND SEED]
 *
 * TRACE is of a folder, empty before, in which deltamirror kept the database NAME, from MOUNT, which shows all
 * of the stream since its beginning. So many states are tried: what processes see after each call, all around what changes
 * names, syncs or truncates, and the others evenly through the trace; or that one. In each
 *
 *   - NAME is a mirror or nothing. From the note "built 1" to "built 0" it is one, and neither what was synced alone nor what
 *     processes see ever goes back;
 *   - it is sound, stands at a commit of the stream, and its tables have what the stream gives up to
 *     there, as a mirror does that was fed from the beginning;
 *   - the next start takes away what stands beside it, and follows to the same end as that one.
 *
 * Prints what it has seen; exits 1 when something was wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build.h"
#include "content.h"
#include "crash/disk.h"
#include "crash/marks.h"
#include "crash/states.h"
#include "crash/trace.h"
#include "crc32c.h"
#include "dbfile.h"
#include "mirror.h"
#include "stop.h"

enum { WORKERS = 2, BLOCK = 64, AROUND = 3, SEEDS = 3, RENAMED = 64 };
#define MIX 0x9e3779b1u

struct tally {
	unsigned long states, same, nothing, mirrors, followed, built, wrong;
};

static struct {
	const char *trace, *name;
	struct mirror_wish wish;
	char scratch[60], path[400];
	struct marks marks;
	struct position last[LOSSES]; /* that this kind of loss has shown */
	uint32_t *seen;               /* states that were tried */
	size_t seen_count;
	struct tally tally;
} judge;

/* ---- one state ---------------------------------------------------------- */

static char why[1200];

static bool wrong(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof why, fmt, args);
	va_end(args);
	return false;
}

static int add_file(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	uint32_t *sum = &judge.seen[judge.seen_count];
	static char bytes[1 << 16];
	ssize_t n;

	(void)ftw;
	*sum = crc32c(*sum, path + strlen(judge.scratch), strlen(path) - strlen(judge.scratch));
	if (flag != FTW_F)
		return 0;
	*sum = crc32c(*sum, (const char *)&st->st_size, sizeof st->st_size);
	int fd = open(path, O_RDONLY);
	must(fd >= 0);
	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		*sum = crc32c(*sum, bytes, (size_t)n);
	close(fd);
	return 0;
}

static bool is_new(const char *folder)
{
	judge.seen = realloc(judge.seen, (judge.seen_count + 1) * sizeof *judge.seen);
	must(judge.seen);
	judge.seen[judge.seen_count] = 0;
	must(nftw(folder, add_file, 16, FTW_PHYS) == 0);
	for (size_t i = 0; i < judge.seen_count; i++)
		if (judge.seen[i] == judge.seen[judge.seen_count])
			return false;
	judge.seen_count++;
	return true;
}

static bool is_sound(sqlite3 *sqlite)
{
	sqlite3_stmt *stmt;

	must(sqlite3_prepare_v2(sqlite, "PRAGMA integrity_check(1)", -1, &stmt, NULL) == SQLITE_OK);
	bool sound = sqlite3_step(stmt) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
	if (!sound)
		wrong("integrity_check: %s", sqlite3_errmsg(sqlite));
	sqlite3_finalize(stmt);
	return sound;
}

static bool follows(struct mirror *mirror)
{
	const struct mark *end = &judge.marks.list[judge.marks.count - 1];
	const struct mirror_goal goal = {.end = true};
	struct err err = {0};

	judge.tally.followed++;
	if (mirror_run(mirror, &goal, &err) < 0)
		return wrong("it does not follow: %s", err.text);
	if (position_cmp(mirror->database.position, end->position) != 0)
		return wrong("it does not come to the end");
	if (content_all(mirror->database.sqlite) != end->content)
		return wrong("at the end it does not equal the source");
	return is_sound(mirror->database.sqlite);
}

static bool judge_mirror(struct mirror *mirror, enum states_loss kind, bool must_follow)
{
	char at[POSITION_TEXT_MAX];
	struct position position = mirror->database.position;
	struct mark *mark = mirror->database.has_position ? marks_find(&judge.marks, position) : NULL;

	position_print(at, position);
	if (!is_sound(mirror->database.sqlite))
		return false;
	if (!mark)
		return wrong("it stands at %s, which is no commit", at);
	if (content_all(mirror->database.sqlite) != mark->content)
		return wrong("it is not what the stream gives up to %s", at);
	if ((kind == LOSS_ALL || kind == LOSS_NONE) && position_cmp(position, judge.last[kind]) < 0)
		return wrong("it goes back to %s", at);
	judge.last[kind] = position;
	return must_follow || mark->followed++ == 0 ? follows(mirror) : true;
}

/* What stands beside a mirror, or one that was begun. */
static bool is_clear(void)
{
	static const char *const beside[] = {".building", ".building-wal", ".building-journal",
	                                     ".resync",   ".resync-wal",   ".resync-journal"};
	char path[500];

	for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
		snprintf(path, sizeof path, "%s%s", judge.path, beside[i]);
		if (access(path, F_OK) == 0)
			return wrong("%s stays", path);
	}
	return true;
}

/* As deltamirror does it. */
static bool judge_start(enum states_loss kind, bool was_built, bool must_follow)
{
	struct mirror mirror;
	struct err err = {0};
	int found = dbfile_look(judge.path, &err);

	if (found < 0)
		return wrong("what bears the name is no mirror: %s", err.text);
	judge.tally.mirrors += found == 1;
	judge.tally.nothing += found == 0;
	if (!found && was_built)
		return wrong("the mirror is gone");
	if (!found && !must_follow)
		return true;
	judge.tally.built += !found;
	if (!found && build_new(&judge.wish, &err) < 0)
		return wrong("it cannot be built: %s", err.text);
	int rc = mirror_open(&mirror, &judge.wish, judge.path, false, 0, &err);
	if (rc == 0)
		build_sweep(&judge.wish);
	bool right = rc < 0 ? wrong("it cannot be opened: %s", err.text)
	                    : is_clear() && judge_mirror(&mirror, found ? kind : LOSS_SECTORS, must_follow);
	mirror_close(&mirror);
	return right;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static bool was_built(const struct states *states, size_t at)
{
	const char *built = states_note(states, at, "built");

	return built && strcmp(built, "1") == 0;
}

static void judge_state(struct states *states, size_t at, enum states_loss kind, unsigned seed)
{
	char folder[100];

	snprintf(folder, sizeof folder, "%s/state", judge.scratch);
	states_make(states, at, kind, seed, folder);
	judge.tally.states++;
	if (!is_new(folder)) {
		judge.tally.same++;
	} else if (!judge_start(kind, was_built(states, at), judge.tally.states % 16 == 0)) {
		judge.tally.wrong++;
		printf("wrong: record %zu kind %d seed %u: %s\n", at, (int)kind, seed, why);
	}
	must(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* ---- all of them -------------------------------------------------------- */

/* Whether one of the next records is one after which more than bytes is another. */
static bool is_special(const struct states *states, size_t at)
{
	size_t next = at;

	for (int i = 0; i < AROUND && next < states_count(states); i++, next++)
		if (states_call(states, next) != TRACE_WRITE && states_call(states, next) != TRACE_NOTE)
			return true;
	return false;
}

static unsigned seeds_of(unsigned kind)
{
	return kind == LOSS_TORN || kind == LOSS_SHREDS || kind == LOSS_SECTORS ? SEEDS : 1;
}

/* A new name that is not on the disk yet meets all that is there beside it, or is gone and is there still. */
static void judge_renamed(struct states *states, size_t at)
{
	for (unsigned i = 0; i < RENAMED && at > 0 && states_call(states, at - 1) == TRACE_RENAME; i++)
		judge_state(states, at, LOSS_SECTORS, ((unsigned)at + i) * MIX);
}

static void judge_all(unsigned worker, size_t wanted)
{
	struct states *states = states_open(judge.trace, NULL);
	size_t count = states_count(states), each = 0, special = 0;

	for (unsigned kind = 0; kind < LOSSES; kind++)
		each += seeds_of(kind);
	for (size_t at = 0; at <= count; at++)
		special += is_special(states, at);
	/* Of the special records all, of the others what processes see, and as many as are left. */
	size_t sure = each * special + (count + 1 - special), plain = each * (count + 1) - sure,
	       left = wanted > sure ? wanted - sure : 0;
	for (size_t at = 0; at <= count; at++) { /* in order, since what was synced does not go back */
		if (at / BLOCK % WORKERS != worker)
			continue;
		for (unsigned i = 0; i < LOSSES * SEEDS; i++) {
			unsigned kind = i % LOSSES, seed = i / LOSSES,
			         random = (unsigned)(at * LOSSES * SEEDS + i) * MIX;
			bool lucky = (uint64_t)random * plain >> 32 < left;
			if (seed < seeds_of(kind) && (kind == LOSS_NONE || lucky || is_special(states, at)))
				judge_state(states, at, kind, random);
		}
		judge_renamed(states, at);
	}
	states_free(states);
}

static void print_tally(const struct tally *t)
{
	printf("%lu states (%lu of them as another one): nothing in %lu, a mirror in %lu; %lu built anew, %lu followed "
	       "to the "
	       "end; %lu wrong\n",
	       t->states, t->same, t->nothing, t->mirrors, t->built, t->followed, t->wrong);
}

static int run_workers(size_t wanted)
{
	unsigned long wrong = 0;
	struct tally sum = {0};
	int pipes[WORKERS][2];

	for (unsigned worker = 0; worker < WORKERS; worker++) {
		fflush(stdout);
		must(pipe(pipes[worker]) == 0);
		if (fork() == 0) {
			snprintf(judge.scratch + strlen(judge.scratch), 10, "/%u", worker);
			snprintf(judge.path, sizeof judge.path, "%s/state/%s", judge.scratch, judge.name);
			must(mkdir(judge.scratch, 0700) == 0);
			judge_all(worker, wanted);
			must(write(pipes[worker][1], &judge.tally, sizeof judge.tally) == sizeof judge.tally);
			fflush(stdout);
			_exit(0);
		}
	}
	for (unsigned worker = 0; worker < WORKERS; worker++) {
		struct tally part;
		close(pipes[worker][1]);
		wrong += read(pipes[worker][0], &part, sizeof part) != sizeof part;
		for (size_t i = 0; i < sizeof part / sizeof(unsigned long); i++)
			((unsigned long *)&sum)[i] += ((unsigned long *)&part)[i];
	}
	while (wait(NULL) > 0)
		;
	print_tally(&sum);
	if (wrong)
		printf("wrong: a worker has ended early\n");
	return wrong + sum.wrong > 0;
}

static void remove_scratch(void)
{
	nftw(judge.scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
	struct err err;

	if (argc != 5 && argc != 8) {
		fprintf(stderr, "judge_mirror TRACE MOUNT NAME STATES [RECORD KIND SEED]\n");
		return 2;
	}
	judge.trace = argv[1];
	judge.name = argv[3];
	snprintf(judge.scratch, sizeof judge.scratch, "/dev/shm/daystream-judge.XXXXXX");
	must(mkdtemp(judge.scratch));
	judge.wish = (struct mirror_wish){.source = {.mount = argv[2]}, .path = judge.path, .once = true};
	must(stop_catch(&err) == 0);
	marks_learn(&judge.marks, argv[2], judge.scratch);
	int status;
	if (argc == 5) {
		status = run_workers((size_t)atol(argv[4]));
	} else {
		struct states *states = states_open(judge.trace, NULL);
		snprintf(judge.path, sizeof judge.path, "%s/state/%s", judge.scratch, judge.name);
		judge_state(states, (size_t)atol(argv[5]), (enum states_loss)atoi(argv[6]), (unsigned)atol(argv[7]));
		print_tally(&judge.tally);
		status = judge.tally.wrong > 0;
		states_free(states);
	}
	remove_scratch();
	return status;
}
