/*
 * Killed, or without power, at every call that changes the store: the next start shows all that was shown or
 * confirmed, and going on gives the one true stream; also where the source breaks off, where the day ends, and
 * where retention gives up the oldest segments meanwhile.
 *
 * The work is done by this program, started again under the recorder (tests/crash/trace.h); what a loss of power could leave of it
 * is tests/crash/states.h's. tests/flow/85-power.sh does the same with the daemon.
 */
#include "fixture.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>

#include "crash/states.h"
#include "crash/unsynced.h"
#include "retain.h"

enum { TRANSACTIONS = 24, SEGMENT = 700 };

/* Where all of it happens: in memory, where that can be. */
static char scratch[64];

/* ---- the work ----------------------------------------------------------- */

static char *golden, *golden_names; /* the one true stream */
static size_t golden_len;
static bool retaining;

/* Where the oldest line of the store is in the true stream. */
static size_t golden_at(struct store *store)
{
	struct position first = segments_edge(store_segments(store)).first;
	char stamp[64];

	snprintf(stamp, sizeof stamp, "_c\t%llu\t_s\t%llu\t_action\torigin", (unsigned long long)first.epoch,
	         (unsigned long long)first.seq);
	const char *at = strstr(golden, stamp);
	must(at);
	return (size_t)(at - golden);
}

/* Notes what a client of the store may have seen. */
static void tell(struct fixture *f)
{
	void (*note)(const char *);
	char text[64];
	struct store_end end;

	if (!recorded)
		return;
	store_end(f->store, &end);
	*(void **)&note = dlsym(RTLD_DEFAULT, "record_note");
	snprintf(text, sizeof text, "shown %llu.%llu", (unsigned long long)end.last.epoch,
	         (unsigned long long)end.last.seq);
	note(text);
	snprintf(text, sizeof text, "durable %llu", (unsigned long long)durable_lsn(writer_durable(f->writer)));
	note(text);
}

static void transaction(struct fixture *f, int i)
{
	f->xid = (unsigned)i + 10;
	uint64_t second = fixture_second + (uint64_t)i / 2 * (i > 15 ? 6000 : 1);
	int r;
	while ((r = writer_begin(f->writer, second, &f->err)) == -EAGAIN) {
		works(durable_sync(writer_durable(f->writer), 0, &f->err), f->err);
		tell(f);
	}
	works(r, f->err);
	if (i % 3 == 0)
		fixture_define(f, "zzz", 1, i % 2 ? "text" : "bigint");
	fixture_insert(f, "zzz", "some value");
	if (i % 4 == 1) {
		works(writer_flush(f->writer, &f->err), f->err);
		fixture_insert(f, "yyy", "some other value");
	}
}

/* Gives up all but about three segments. */
static void give_up(struct fixture *f)
{
	struct config config = {.keep_bytes = 3 * SEGMENT};
	struct retain retain = {
	    .store = f->store, .tables = table_set_new(f->store), .views = view_set_new(f->store), .config = &config};

	works(retain_once(&retain, 0, true, &(struct position){0}, &f->err), f->err);
	view_set_free(retain.views);
	table_set_free(retain.tables);
}

static void work(struct fixture *f)
{
	for (int i = (int)((f->lsn - fixture_lsn) / 0x100); i < TRANSACTIONS; i++) {
		if (i % 5 == 2) { /* the connection breaks, and it comes again */
			transaction(f, i);
			if (i % 2)
				works(writer_flush(f->writer, &f->err), f->err);
			works(writer_rollback(f->writer, &f->err), f->err);
		}
		transaction(f, i);
		fixture_commit(f);
		if (i % 2 == 0) {
			works(writer_flush(f->writer, &f->err), f->err);
			for (unsigned idle = 0; idle < (i % 8 == 4 ? 4 : 1); idle++) {
				durable_idle(writer_durable(f->writer), f->lsn + idle * 0x20);
				works(durable_sync(writer_durable(f->writer), 0, &f->err), f->err);
				tell(f);
			}
			if (retaining)
				give_up(f);
		}
	}
	fixture_sync(f);
	tell(f);
}

/* In a process of its own, which may end in it. */
static int work_at(const char *path, bool gives_up)
{
	struct fixture f = {0};

	recorded = true;
	retaining = gives_up;
	snprintf(f.path, sizeof f.path, "%s", path);
	fixture_open(&f, SEGMENT);
	tell(&f);
	work(&f);
	fixture_close(&f);
	return 0;
}

/* Starts the work, to be killed at a call where `stop` says so; false where it was. */
static bool run(const char *root, const char *stop)
{
	char self[PATH_MAX], library[PATH_MAX + 20], trace[PATH_MAX], store[PATH_MAX];
	int status;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	must(n > 0);
	self[n] = 0;
	snprintf(library, sizeof library, "%.*s/record.so", (int)(strrchr(self, '/') - self), self);
	snprintf(trace, sizeof trace, "%s.trace", root);
	snprintf(store, sizeof store, "%s/store", root);
	pid_t pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		setenv("LD_PRELOAD", library, 1);
		setenv("RECORD_ROOT", root, 1);
		setenv("RECORD_TRACE", trace, 1);
		setenv("RECORD_STOP", stop, 1);
		setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
		execl(self, self, store, retaining ? "retain" : "keep", NULL);
		_exit(1);
	}
	must(waitpid(pid, &status, 0) == pid);
	must(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	return !WIFSIGNALED(status);
}

/* ---- what is left ------------------------------------------------------- */

/* It opens, holds what was told, and goes on to the one true stream. */
static void check(const char *path, struct states *states, size_t place, const char *what)
{
	const char *durable = states_note(states, place, "durable");
	uint64_t lsn = durable ? strtoull(durable, NULL, 10) : 0;
	const char *seen = states_note(states, place, "shown");
	struct position position = {0};
	struct fixture f = {0};
	struct store_end end;
	size_t len;

	snprintf(f.path, sizeof f.path, "%s", path);
	if (store_open(&f.store, path, STORE_WRITE, &f.err) < 0 || writer_open(&f.writer, f.store, SEGMENT, &f.err) < 0)
		fail_msg("%s: %s", what, f.err.text);
	f.lsn = writer_appended_lsn(f.writer);
	char *shown = fixture_shown(f.store, &len);
	size_t at = golden_at(f.store);
	store_end(f.store, &end);
	if (len > golden_len - at || memcmp(shown, golden + at, len) != 0)
		fail_msg("%s: what is left is no part of the stream", what);
	if (seen && position_parse(seen, strlen(seen), &position) && position_cmp(end.last, position) < 0)
		fail_msg("%s: %s was shown, and what is left ends at %llu.%llu", what, seen,
		         (unsigned long long)end.last.epoch, (unsigned long long)end.last.seq);
	if (durable_lsn(writer_durable(f.writer)) < lsn)
		fail_msg("%s: a confirmed LSN is lost", what);
	free(shown);
	work(&f);
	shown = fixture_shown(f.store, &len);
	at = golden_at(f.store);
	char *names = fixture_names(&f, ".day");
	if (len != golden_len - at || memcmp(shown, golden + at, len) != 0 ||
	    strcmp(names, golden_names + strlen(golden_names) - strlen(names)) != 0)
		fail_msg("%s: going on gives another stream", what);
	if (retaining ? at < golden_len / 2 : at > 0)
		fail_msg("%s: %zu bytes were given up", what, at);
	free(shown);
	free(names);
	fixture_close(&f);
}

static void lose(struct states *states, size_t at, int loss, unsigned seed)
{
	char left[PATH_MAX], store[PATH_MAX], what[100];

	snprintf(left, sizeof left, "%s/left", scratch);
	snprintf(store, sizeof store, "%s/left/store", scratch);
	snprintf(what, sizeof what, "lost at %zu (kind %d, seed %u)", at, loss, seed);
	states_make(states, at, (enum states_loss)loss, seed, left);
	check(store, states, at, what);
	nftw(left, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A new store in the folder store of a new one. */
static void begin(struct fixture *f)
{
	char root[sizeof f->path];

	fixture_folder(f);
	snprintf(root, sizeof root, "%s", f->path);
	must(snprintf(f->path, sizeof f->path, "%s/store", root) < (int)sizeof f->path && mkdir(f->path, 0700) == 0);
	fixture_origin(f);
	snprintf(f->path, sizeof f->path, "%s", root);
}

static void end(struct fixture *f)
{
	char trace[PATH_MAX];

	snprintf(trace, sizeof trace, "%s.trace", f->path);
	must(unlink(trace) == 0);
	nftw(f->path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What the work did, from the store that it began with. */
static struct states *open_states(const struct fixture *f, const struct fixture *base)
{
	char trace[PATH_MAX];

	snprintf(trace, sizeof trace, "%s.trace", f->path);
	return states_open(trace, base->path);
}

static void at_every_call(void)
{
	struct fixture f = {0}, base = {0};
	size_t changes = 0;

	begin(&base);
	begin(&f);
	must(run(f.path, "0"));
	struct states *states = open_states(&f, &base);
	for (size_t at = states_next(states, 0);; at = states_next(states, at + 1), changes++) {
		for (int loss = 0; loss < LOSSES; loss++)
			for (unsigned seed = 0; seed < (loss >= LOSS_TORN ? 4 : 1); seed++)
				lose(states, at, loss, (unsigned)at * 4 + seed);
		if (at == states_count(states))
			break;
	}
	assert_in_range(changes, 80, 1000);
	print_message("# %zu calls\n", changes);
	states_free(states);
	end(&f);
	nftw(base.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void without_power_at_every_call(void **state)
{
	(void)state;
	at_every_call();
}

static void without_power_while_segments_go(void **state)
{
	(void)state;
	retaining = true;
	at_every_call();
	retaining = false;
}

/* The first changes of the start that follows. */
static void without_power_after_a_kill(void **state)
{
	enum { MORE = 14 };
	unsigned seed = 1;
	bool ended = false;

	(void)state;
	for (int n = 1; !ended; n++) {
		struct fixture f = {0}, base = {0};
		char stop[16], trace[PATH_MAX];
		begin(&base);
		begin(&f);
		snprintf(stop, sizeof stop, "%d%s", n, n % 2 ? "+" : "");
		ended = run(f.path, stop);
		struct states *states = open_states(&f, &base);
		size_t at = states_count(states);
		states_free(states);
		snprintf(trace, sizeof trace, "%s.trace", f.path);
		must(ended || run(f.path, "0"));
		states = open_states(&f, &base);
		for (int i = 0; i < MORE && at < states_count(states); i++) {
			at = states_next(states, i ? at + 1 : at);
			lose(states, at, rand_r(&seed) % LOSSES, seed);
		}
		states_free(states);
		end(&f);
		nftw(base.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
}

static void make_golden(void)
{
	struct fixture f;

	fixture_start(&f, SEGMENT);
	work(&f);
	golden = fixture_shown(f.store, &golden_len);
	golden_names = fixture_names(&f, ".day");
	fixture_end(&f);
}

static int setup(void **state)
{
	(void)state;
	snprintf(scratch, sizeof scratch, "/dev/shm/daystream-unit.XXXXXX");
	if (!mkdtemp(scratch)) {
		snprintf(scratch, sizeof scratch, "/tmp/daystream-unit.XXXXXX");
		must(mkdtemp(scratch));
	}
	setenv("TMPDIR", scratch, 1);
	make_golden();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(golden);
	free(golden_names);
	return nftw(scratch, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_power_at_every_call),
	    cmocka_unit_test(without_power_while_segments_go),
	    cmocka_unit_test(without_power_after_a_kill),
	};

	if (argc == 3)
		return work_at(argv[1], strcmp(argv[2], "retain") == 0);
	return cmocka_run_group_tests_name("crash", tests, setup, teardown);
}
