/*
 * Killed, or without power, at every system call that changes the store: the next
 * start shows all that was shown or confirmed, and going on gives the one true
 * stream; also where retention gives up its oldest segments meanwhile.
 *
 * The calls below stand before libc's. They count, and they remember what a sync
 * has brought to the disk: a power loss leaves that, and as much of the rest as
 * the kind of loss says.
 */
#include "fixture.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "retain.h"

enum loss {
	NO_LOSS,     /* killed: the kernel still has everything */
	ALL,         /* names and bytes only as synced */
	BYTES,       /* names are there; bytes that were not synced are cut off */
	ZEROS,       /* ... are zeros */
	HALF,        /* ... are there up to the middle */
	SECOND_HALF, /* ... are zeros up to the middle, and then there */
	NAMES,       /* bytes are there, names as synced */
	LOSSES
};

enum { FILES = 64, TRANSACTIONS = 24, SEGMENT = 700 };

struct synced {
	ino_t ino;
	char *bytes;
	size_t len;
};

struct name {
	char text[96];
	ino_t ino;
};

static struct {
	bool armed;
	long calls, kill_at, lose_at;
	enum loss loss;
	jmp_buf killed;
	const char *path, *after; /* the store, and where its remains go */
	struct synced files[FILES];
	size_t file_count;
	struct name names[2][FILES]; /* as synced: of STORE, of segments */
	size_t name_count[2];
} disk;

/* What the child had shown and confirmed; the parent looks at it. */
struct told {
	uint64_t lsn, len; /* from the first line that ever was */
	long calls;
	bool ended;
};
static struct told *told;

/* ---- the disk ----------------------------------------------------------- */

/* In the child: there is no test to fail. */
#define sure(what)                                                                                                     \
	do {                                                                                                           \
		if (!(what)) {                                                                                         \
			perror(#what);                                                                                 \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

static struct synced *synced_file(ino_t ino)
{
	for (size_t i = 0; i < disk.file_count; i++)
		if (disk.files[i].ino == ino)
			return &disk.files[i];
	sure(disk.file_count < FILES);
	disk.files[disk.file_count] = (struct synced){.ino = ino};
	return &disk.files[disk.file_count++];
}

static char *slurp(int fd, size_t len)
{
	char *bytes = calloc(1, len + 1);

	sure(bytes && syscall(SYS_pread64, fd, bytes, len, 0L) == (long)len);
	return bytes;
}

static void note_bytes(int fd)
{
	char path[64];
	struct stat st;

	/* It may be open for writing only. */
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int own = open(path, O_RDONLY);
	sure(own >= 0 && fstat(own, &st) == 0);
	struct synced *file = synced_file(st.st_ino);
	free(file->bytes);
	file->len = (size_t)st.st_size;
	file->bytes = slurp(own, file->len);
	close(own);
}

static const char *folder_path(int which, char *out)
{
	snprintf(out, PATH_MAX, "%s%s", disk.path, which ? "/segments" : "");
	return out;
}

static size_t list(int which, struct name *names)
{
	char path[PATH_MAX];
	DIR *dir = opendir(folder_path(which, path));
	struct dirent *entry;
	size_t count = 0;

	sure(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_REG)
			continue;
		sure(count < FILES);
		snprintf(names[count].text, sizeof names[count].text, "%.95s", entry->d_name);
		names[count++].ino = entry->d_ino;
	}
	closedir(dir);
	return count;
}

static void note_names(int which)
{
	disk.name_count[which] = list(which, disk.names[which]);
}

/* All that is there counts as synced. */
static void note_all(void)
{
	for (int which = 0; which < 2; which++) {
		note_names(which);
		for (size_t i = 0; i < disk.name_count[which]; i++) {
			char folder[PATH_MAX], path[PATH_MAX + 100];
			snprintf(path, sizeof path, "%s/%s", folder_path(which, folder), disk.names[which][i].text);
			int fd = open(path, O_RDONLY);
			sure(fd >= 0);
			note_bytes(fd);
			close(fd);
		}
	}
}

/* What a file holds after the loss; the caller frees. */
static char *remains(const char *path, ino_t ino, size_t *len)
{
	const struct synced *file = synced_file(ino);
	int fd = open(path, O_RDONLY);
	struct stat st = {0};
	char *now = NULL;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == ino)
		now = slurp(fd, (size_t)st.st_size);
	if (fd >= 0)
		close(fd);
	bool all = disk.loss == NAMES && now, grown = now && (size_t)st.st_size > file->len;
	size_t more = grown ? (size_t)st.st_size - file->len : 0;
	*len = all ? (size_t)st.st_size : file->len;
	if (!all && grown && (disk.loss == ZEROS || disk.loss == SECOND_HALF))
		*len += more;
	else if (!all && grown && disk.loss == HALF)
		*len += more / 2;
	char *out = calloc(1, *len + 1);
	sure(out);
	if (all) {
		memcpy(out, now, *len);
	} else {
		if (file->len)
			memcpy(out, file->bytes, file->len);
		if (grown && disk.loss == HALF)
			memcpy(out + file->len, now + file->len, more / 2);
		if (grown && disk.loss == SECOND_HALF)
			memcpy(out + file->len + more / 2, now + file->len + more / 2, more - more / 2);
	}
	free(now);
	return out;
}

static void lose_power(void)
{
	struct name names[FILES];
	char folder[PATH_MAX], path[PATH_MAX + 100];
	bool names_lost = disk.loss == ALL || disk.loss == NAMES;

	disk.armed = false;
	for (int which = 0; which < 2; which++) {
		size_t count = names_lost ? disk.name_count[which] : list(which, names);
		const struct name *left = names_lost ? disk.names[which] : names;
		snprintf(path, sizeof path, "%s%s", disk.after, which ? "/segments" : "");
		sure(mkdir(path, 0700) == 0);
		for (size_t i = 0; i < count; i++) {
			size_t len;
			snprintf(path, sizeof path, "%s/%s", folder_path(which, folder), left[i].text);
			char *bytes = remains(path, left[i].ino, &len);
			snprintf(path, sizeof path, "%s%s/%s", disk.after, which ? "/segments" : "", left[i].text);
			int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
			sure(fd >= 0 && syscall(SYS_write, fd, bytes, len) == (long)len);
			close(fd);
			free(bytes);
		}
	}
	_exit(0);
}

/* Before each call. */
static void next_call(void)
{
	if (!disk.armed)
		return;
	told->calls = ++disk.calls;
	if (disk.calls == disk.lose_at) {
		if (disk.loss == NO_LOSS)
			_exit(0);
		lose_power();
	}
	if (disk.calls == disk.kill_at)
		longjmp(disk.killed, 1);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	next_call();
	return syscall(SYS_pwrite64, fd, buf, len, off);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	if (fd > 2)
		next_call();
	return syscall(SYS_write, fd, buf, len);
}

int ftruncate(int fd, off_t len)
{
	next_call();
	return (int)syscall(SYS_ftruncate, fd, len);
}

int unlinkat(int dirfd, const char *name, int flags)
{
	next_call();
	return (int)syscall(SYS_unlinkat, dirfd, name, flags);
}

int renameat(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
	next_call();
	return (int)syscall(SYS_renameat2, from_dirfd, from, to_dirfd, to, 0);
}

int openat(int dirfd, const char *name, int flags, ...)
{
	mode_t mode = 0;
	bool creates = false;

	if (flags & O_CREAT) {
		va_list args;
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
		next_call();
		creates = disk.armed && faccessat(dirfd, name, F_OK, 0) < 0;
	}
	int fd = (int)syscall(SYS_openat, dirfd, name, flags, mode);
	struct stat st;
	if (creates && fd >= 0 && fstat(fd, &st) == 0)
		synced_file(st.st_ino)->len = 0; /* the number may have been another file's */
	return fd;
}

static int sync_it(int fd)
{
	struct stat st, segments;
	char path[PATH_MAX];

	if (!disk.armed)
		return 0;
	sure(fstat(fd, &st) == 0 && stat(folder_path(1, path), &segments) == 0);
	if (S_ISDIR(st.st_mode))
		note_names(st.st_ino == segments.st_ino);
	else
		note_bytes(fd);
	return 0;
}

int fsync(int fd)
{
	next_call();
	return sync_it(fd);
}

int fdatasync(int fd)
{
	next_call();
	return sync_it(fd);
}

/* ---- the work ----------------------------------------------------------- */

static char *golden, *golden_names; /* the one true stream */
static size_t golden_len;
static bool retaining;

/* Where the oldest line of the store is in the true stream. */
static size_t golden_at(struct store *store)
{
	struct position first = segments_edge(store_segments(store)).first;
	char stamp[64];

	if (!golden)
		return 0;
	snprintf(stamp, sizeof stamp, "_c\t%llu\t_s\t%llu\t_action\torigin", (unsigned long long)first.epoch,
	         (unsigned long long)first.seq);
	const char *at = strstr(golden, stamp);
	sure(at);
	return (size_t)(at - golden);
}

static uint64_t retained_len(struct store *store)
{
	return store_len(store) - segments_edge(store_segments(store)).base;
}

/* Tells what a client of the store may have seen. */
static void tell(struct fixture *f)
{
	told->len = golden_at(f->store) + retained_len(f->store);
	if (durable_lsn(writer_durable(f->writer)) > told->lsn)
		told->lsn = durable_lsn(writer_durable(f->writer));
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

	works(retain_once(&retain, 0, true, &f->err), f->err);
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
			if (i % 8 == 4)
				durable_idle(writer_durable(f->writer), f->lsn + 0x40);
			works(durable_sync(writer_durable(f->writer), 0, &f->err), f->err);
			tell(f);
			if (retaining)
				give_up(f);
		}
	}
	fixture_sync(f);
	tell(f);
}

/* In a process of its own, since it dies. */
static void run(const char *path, const char *after, long kill_at, long lose_at, enum loss loss)
{
	struct fixture f = {0};

	snprintf(f.path, sizeof f.path, "%s", path);
	disk.path = path;
	disk.after = after;
	disk.loss = loss;
	disk.lose_at = lose_at;
	disk.kill_at = kill_at;
	note_all();
	disk.armed = true;
	if (setjmp(disk.killed)) {
		/* What a kill leaves: no file is open, no lock held. */
		sure(syscall(SYS_close_range, 3, ~0u, 0) == 0);
	}
	/* Each start is the first one's equal. */
	if (store_open(&f.store, path, STORE_WRITE, &f.err) < 0 ||
	    writer_open(&f.writer, f.store, SEGMENT, &f.err) < 0) {
		fprintf(stderr, "kill %ld, loss %ld of kind %d: %s\n", kill_at, lose_at, (int)loss, f.err.text);
		_exit(1);
	}
	f.lsn = writer_appended_lsn(f.writer);
	tell(&f);
	work(&f);
	told->ended = true;
	if (loss != NO_LOSS)
		lose_power();
	_exit(0);
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

/* The remains open, hold what was told, and go on to the one true stream. */
static void check(const char *path, const char *what)
{
	struct fixture f = {0};
	size_t len;

	snprintf(f.path, sizeof f.path, "%s", path);
	if (store_open(&f.store, path, STORE_WRITE, &f.err) < 0 || writer_open(&f.writer, f.store, SEGMENT, &f.err) < 0)
		fail_msg("%s: %s", what, f.err.text);
	f.lsn = writer_appended_lsn(f.writer);
	char *shown = fixture_shown(f.store, &len);
	size_t at = golden_at(f.store);
	if (len > golden_len - at || memcmp(shown, golden + at, len) != 0)
		fail_msg("%s: what is left is no part of the stream", what);
	if (at + len < told->len)
		fail_msg("%s: %lu bytes were shown, %zu are left", what, (unsigned long)told->len, at + len);
	if (durable_lsn(writer_durable(f.writer)) < told->lsn)
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

/* Crashes once; false when the work ended before that. */
static bool crash(long kill_at, long lose_at, enum loss loss)
{
	struct fixture before = {0}, after = {0};
	char what[100];
	int status;

	fixture_folder(&before);
	fixture_folder(&after);
	fixture_origin(&before);
	memset(told, 0, sizeof *told);
	must(rmdir(after.path) == 0);
	pid_t pid = fork();
	must(pid >= 0);
	if (pid == 0)
		run(before.path, after.path, kill_at, lose_at, loss);
	must(waitpid(pid, &status, 0) == pid);
	snprintf(what, sizeof what, "killed at %ld, lost at %ld (kind %d)", kill_at, lose_at, (int)loss);
	if (status != 0)
		fail_msg("%s: did not start again", what);
	check(loss == NO_LOSS ? before.path : after.path, what);
	nftw(before.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (loss != NO_LOSS)
		nftw(after.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return !told->ended;
}

static void killed_at_every_call(void **state)
{
	long n = 1;

	(void)state;
	while (crash(0, n, NO_LOSS))
		n++;
	assert_in_range(n, 80, 1000);
	print_message("# %ld calls\n", n);
}

static void without_power_at_every_call(void **state)
{
	(void)state;
	for (int loss = ALL; loss < LOSSES; loss++)
		for (long n = 1; crash(0, n, (enum loss)loss);)
			n++;
}

static void without_power_after_a_kill(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < 1200; i++) {
		long kill_at = 1 + rand_r(&seed) % 95, more = 1 + rand_r(&seed) % 14;
		crash(kill_at, kill_at + more, (enum loss)(ALL + rand_r(&seed) % (LOSSES - ALL)));
	}
}

static void at_every_call_while_segments_go(void **state)
{
	(void)state;
	retaining = true;
	for (int loss = NO_LOSS; loss < LOSSES; loss++)
		for (long n = 1; crash(0, n, (enum loss)loss);)
			n++;
	retaining = false;
}

static int setup(void **state)
{
	(void)state;
	told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(told != MAP_FAILED);
	make_golden();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(golden);
	free(golden_names);
	return munmap(told, sizeof *told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(killed_at_every_call),
	    cmocka_unit_test(without_power_at_every_call),
	    cmocka_unit_test(without_power_after_a_kill),
	    cmocka_unit_test(at_every_call_while_segments_go),
	};
	return cmocka_run_group_tests_name("crash", tests, setup, teardown);
}
