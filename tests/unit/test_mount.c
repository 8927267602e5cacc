/*
 * A real mount of a store that grows some thousand times a second: whoever reads at random, by pread(2) and mmap(2),
 * gets what the segments hold at that place; also where a second or a day ends, and is read from the kernel's
 * cache from then on.
 */
#include "crc32c.h"
#include "fixture.h"
#include "mounted.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <time.h>

enum {
	RUN_MS = 3000,
	RUN_MOST_MS = 60000, /* until there was enough of all */
	PACE = 4000,         /* transactions a second, at most: readers have to come to their turn */
	A_SECOND = 60,       /* transactions */
	A_DAY = 12,          /* seconds */
	ROOM = 1 << 30,
	MORE_ROOM = 1 << 20,
};

static struct fixture f;
static struct mounted m;
static atomic_bool stop;
static atomic_uint commits, reads, spans;
static pthread_mutex_t wrong_lock = PTHREAD_MUTEX_INITIALIZER;
static char wrong[400];

static bool fine(bool so, const char *form, ...)
{
	va_list args;

	if (so)
		return true;
	pthread_mutex_lock(&wrong_lock);
	va_start(args, form);
	if (!*wrong)
		vsnprintf(wrong, sizeof wrong, form, args);
	va_end(args);
	pthread_mutex_unlock(&wrong_lock);
	stop = true;
	return false;
}

/* ---- what is right: read from the segments, which are ahead of what is shown */

struct start {
	uint64_t epoch;
	size_t off;
};

static struct {
	pthread_mutex_t lock;
	int fd, dirfd;
	struct position segment;
	off_t at;
	char *all, *zzz; /* do not move */
	size_t all_len, zzz_len, whole;
	struct start *starts; /* of each second */
	size_t start_count;
} truth;

static void truth_init(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/segments", f.path);
	must((truth.dirfd = open(path, O_RDONLY | O_DIRECTORY)) >= 0);
	truth.fd = -1;
	truth.all = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	truth.zzz = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	truth.starts = calloc(MORE_ROOM, sizeof *truth.starts);
	must(truth.all != MAP_FAILED && truth.zzz != MAP_FAILED && truth.starts);
	pthread_mutex_init(&truth.lock, NULL);
}

static void truth_fini(void)
{
	munmap(truth.all, ROOM);
	munmap(truth.zzz, ROOM);
	free(truth.starts);
	close(truth.fd);
	close(truth.dirfd);
	memset(&truth, 0, sizeof truth);
}

static void take_line(const char *line, size_t len)
{
	struct line_head head;

	must(line_parse(line, len - 1, &head));
	if (!truth.start_count || truth.starts[truth.start_count - 1].epoch != head.position.epoch)
		truth.starts[truth.start_count++] = (struct start){head.position.epoch, (size_t)(line - truth.all)};
	if (head.table.at && span_is(head.table, "zzz")) {
		memcpy(truth.zzz + truth.zzz_len, line, len);
		truth.zzz_len += len;
	}
}

static bool take_rest(void)
{
	ssize_t n;
	bool some = false;

	while (truth.fd >= 0 && (n = pread(truth.fd, truth.all + truth.all_len, 1 << 20, truth.at)) > 0) {
		truth.all_len += (size_t)n;
		truth.at += n;
		some = true;
	}
	return some;
}

/* More of the segment at hand, or the next one: false at the end. */
static bool read_on(void)
{
	char name[SEGMENT_NAME_MAX];
	struct position *list;
	size_t count, next = 0;
	struct err err;

	if (take_rest())
		return true;
	must(segment_list(truth.dirfd, false, &list, &count, &err) == 0);
	while (next < count && truth.fd >= 0 && position_cmp(list[next], truth.segment) <= 0)
		next++;
	bool more = next < count;
	if (more) {
		take_rest(); /* nothing comes any more, since there is a next one */
		close(truth.fd);
		truth.segment = list[next];
		must((truth.fd = openat(truth.dirfd, segment_name(name, list[next]), O_RDONLY)) >= 0);
		truth.at = 0;
	}
	free(list);
	return more;
}

static void truth_update(void)
{
	pthread_mutex_lock(&truth.lock);
	while (read_on())
		;
	char *end;
	while ((end = memchr(truth.all + truth.whole, '\n', truth.all_len - truth.whole))) {
		size_t len = (size_t)(end + 1 - truth.all) - truth.whole;
		take_line(truth.all + truth.whole, len);
		truth.whole += len;
	}
	pthread_mutex_unlock(&truth.lock);
}

/* Where the lines of [from, until) stand; false where one at or behind the end is to come yet. */
static bool truth_span(uint64_t from, uint64_t until, size_t *start, size_t *end)
{
	bool over = false;

	truth_update();
	pthread_mutex_lock(&truth.lock);
	*start = *end = truth.whole;
	for (size_t i = truth.start_count; i-- > 0 && truth.starts[i].epoch >= from;) {
		*start = truth.starts[i].off;
		if (truth.starts[i].epoch >= until) {
			*end = truth.starts[i].off;
			over = true;
		}
	}
	pthread_mutex_unlock(&truth.lock);
	return over;
}

/* Whether the bytes at `off` of the stream, or of the table, are these. */
static bool is_true(bool table, size_t off, const char *buf, size_t len)
{
	const char *bytes = table ? truth.zzz : truth.all;

	pthread_mutex_lock(&truth.lock);
	bool there = off + len <= (table ? truth.zzz_len : truth.whole);
	pthread_mutex_unlock(&truth.lock);
	if (!there)
		truth_update();
	pthread_mutex_lock(&truth.lock);
	there = off + len <= (table ? truth.zzz_len : truth.whole);
	pthread_mutex_unlock(&truth.lock);
	return there && memcmp(bytes + off, buf, len) == 0;
}

/* ---- who writes, and who reads */

static uint64_t second_of(unsigned commit)
{
	unsigned second = commit / A_SECOND;

	return fixture_second + second / A_DAY * DAY_SECONDS + second % A_DAY * 3;
}

static void *write_on(void *arg)
{
	char value[1200];
	uint64_t begin = mounted_ms();

	for (unsigned i = 0; !stop; i++) {
		while (i > (mounted_ms() - begin + 1) * PACE / 1000 && !stop)
			usleep(100);
		size_t len = i % 8 ? i % 100 : i * 7919u % 1000;
		for (size_t k = 0; k < len; k++)
			value[k] = (char)('a' + (i + k * k) % 26);
		sprintf(value + len, "%u", i);
		fixture_begin(&f, second_of(i));
		fixture_insert(&f, i % 3 ? "zzz" : "yyy", value);
		fixture_commit(&f);
		fixture_sync(&f);
		commits++;
	}
	return arg;
}

static size_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : (size_t)st.st_size;
}

/* One read at a random place. `base` is where the file starts; *size, what it had before, at least. */
static bool read_somewhere(int fd, const char *what, bool table, size_t base, unsigned *seed, char *buf)
{
	static const size_t lens[] = {1,    100,  100,  777,   4096,  4096,  4097,
	                              4097, 8192, 9999, 16384, 20000, 65536, 1 << 20};
	size_t size = size_of(fd), len = lens[(size_t)rand_r(seed) % (sizeof lens / sizeof *lens)];
	size_t off = size ? (size_t)rand_r(seed) % (size + 1) : 0;

	if (rand_r(seed) % 3 == 0 && size > 5000)
		off = size - (size_t)rand_r(seed) % 5000;
	ssize_t n = pread(fd, buf, len, (off_t)off);
	reads++;
	if (!fine(n >= 0, "%s: %s", what, strerror(errno)))
		return false;
	return fine((size_t)n >= (len < size - off ? len : size - off), "%s: %zd of %zu bytes at %zu of %zu", what, n,
	            len, off, size) &&
	       fine(is_true(table, base + off, buf, (size_t)n), "%s: %zd bytes at %zu differ", what, n, off);
}

struct growing {
	const char *path;
	bool table;
	size_t base;
	unsigned seed;
};

static void *read_growing(void *arg)
{
	struct growing *g = arg;
	char *buf = malloc(1 << 20);
	int fd = open(mounted_path(&m, g->path), O_RDONLY);

	if (fine(fd >= 0 && buf, "%s: %s", g->path, strerror(errno)))
		while (!stop && read_somewhere(fd, g->path, g->table, g->base, &g->seed, buf))
			;
	close(fd);
	free(buf);
	return NULL;
}

static bool map_and_compare(int fd, const char *what, size_t base, int flags)
{
	size_t len = size_of(fd);
	char *bytes = len ? mmap(NULL, len, PROT_READ, flags, fd, 0) : NULL;

	if (!len)
		return true;
	if (!fine(bytes != MAP_FAILED, "%s: mmap: %s", what, strerror(errno)))
		return false;
	bool same = fine(is_true(false, base, bytes, len), "%s: what is mapped differs, of %zu bytes", what, len);
	munmap(bytes, len);
	return same;
}

/* All of a file that is over: of exactly that length, by read and by mmap. */
static bool read_over(int fd, const char *what, size_t start, size_t end, char *buf)
{
	size_t got = 0;
	ssize_t n;

	if (!fine(size_of(fd) == end - start, "%s: has %zu bytes and not %zu", what, size_of(fd), end - start))
		return false;
	while ((n = pread(fd, buf, 1 << 20, (off_t)got)) > 0) {
		if (!fine(is_true(false, start + got, buf, (size_t)n), "%s: %zd bytes at %zu differ, once over", what,
		          n, got))
			return false;
		got += (size_t)n;
	}
	return fine(n == 0 && got == end - start, "%s: %zu bytes and not %zu", what, got, end - start);
}

/* Follows a second or a day into its end, and what comes then. */
static bool follow_span(const char *what, uint64_t from, uint64_t until, unsigned *seed, char *buf)
{
	int before = open(mounted_path(&m, what), O_RDONLY), after;
	size_t start, end;

	if (!fine(before >= 0, "%s: %s", what, strerror(errno)))
		return false;
	truth_span(from, until, &start, &end);
	bool good = true;
	while (good && !stop && !truth_span(from, until, &start, &end)) {
		good = read_somewhere(before, what, false, start, seed, buf);
		if (good && rand_r(seed) % 4 == 0)
			good = map_and_compare(before, what, start, MAP_PRIVATE);
		/* Who opens it just now gets what it is by then. */
		if ((after = open(mounted_path(&m, what), O_RDONLY)) >= 0) {
			good = good && read_somewhere(after, what, false, start, seed, buf);
			close(after);
		}
	}
	/* What was written is shown a moment later. */
	struct store_end shown;
	do
		store_end(f.store, &shown);
	while (!stop && shown.last.epoch < until);
	if (good && !stop &&
	    fine((after = open(mounted_path(&m, what), O_RDONLY)) >= 0, "%s: %s", what, strerror(errno))) {
		good = read_over(after, what, start, end, buf) && read_over(before, what, start, end, buf) &&
		       map_and_compare(after, what, start, MAP_SHARED) &&
		       map_and_compare(before, what, start, MAP_PRIVATE);
		close(after);
		spans++;
	}
	close(before);
	return good;
}

static void *read_spans(void *arg)
{
	struct growing *g = arg;
	char *buf = malloc(1 << 20), path[64], day[DAY_TEXT_MAX];

	while (buf && !stop) {
		struct store_end end;
		store_end(f.store, &end);
		uint64_t from = end.last.epoch, until = from + 1;
		if (g->table) { /* a day */
			from -= from % DAY_SECONDS;
			until = from + DAY_SECONDS;
			snprintf(path, sizeof path, "days/%s", tree_day_name(day, from));
		} else {
			snprintf(path, sizeof path, "by-time/%" PRIu64 "/all", from);
		}
		if (!follow_span(path, from, until, &g->seed, buf))
			break;
	}
	free(buf);
	return NULL;
}

static bool is_enough(void)
{
	return reads > 100 && commits > 100 && spans > 0;
}

static void random_readers_get_what_the_segments_hold(void **state)
{
	enum { READERS = 7 };
	static char since[64], since_table[64];
	struct growing growing[READERS] = {{"live", false, 0, 1}, {"live", false, 0, 2},     {"tables/zzz", true, 0, 3},
	                                   {since, false, 0, 4},  {since_table, true, 0, 5}, {"a second", false, 0, 6},
	                                   {"a day", true, 0, 7}};
	pthread_t threads[READERS], writer;

	(void)state;
	fixture_start(&f, 150000);
	for (unsigned i = 0; i < 10; i++)
		fixture_put(&f, fixture_second, i % 2 ? "yyy" : "zzz", "first");
	truth_init();
	truth_update();
	growing[3].base = truth.whole;
	growing[4].base = truth.zzz_len;
	snprintf(since, sizeof since, "since/%" PRIu64 "/1000/live", fixture_second);
	snprintf(since_table, sizeof since_table, "since/%" PRIu64 "/1000/tables/zzz", fixture_second);
	struct store_end end;
	store_end(f.store, &end);
	snprintf(since, sizeof since, "since/%" PRIu64 "/%" PRIu64 "/live", end.last.epoch, end.last.seq + 1);
	snprintf(since_table, sizeof since_table, "since/%" PRIu64 "/%" PRIu64 "/tables/zzz", end.last.epoch,
	         end.last.seq + 1);
	mounted_start(&m, &f, NULL);
	must(pthread_create(&writer, NULL, write_on, NULL) == 0);
	for (int i = 0; i < READERS; i++)
		must(pthread_create(&threads[i], NULL, i < 5 ? read_growing : read_spans, &growing[i]) == 0);
	uint64_t begin = mounted_ms();
	while (!stop && (mounted_ms() < begin + RUN_MS || (!is_enough() && mounted_ms() < begin + RUN_MOST_MS)))
		usleep(10000);
	stop = true;
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(writer, NULL);
	printf("# %u reads while %u transactions came, %u a second; %u seconds and days came to an end\n", reads,
	       commits, (unsigned)(commits * 1000 / (mounted_ms() - begin)), spans);
	mounted_stop(&m);
	truth_fini();
	fixture_end(&f);
	assert_string_equal(wrong, "");
	assert_true(is_enough());
}

/* A disk syncs some hundred or thousand times a second: in memory a store grows as fast as it is shown. */
static char memory[PATH_MAX];

static void begin_in_memory(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(memory, sizeof memory, "%s/memory.XXXXXX", base && *base ? base : "/tmp");
	must(mkdtemp(memory));
	if (mount("tmpfs", memory, "tmpfs", 0, "mode=0755") == 0)
		setenv("TMPDIR", memory, 1);
}

static void end_in_memory(void)
{
	umount2(memory, MNT_DETACH);
	rmdir(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_readers_get_what_the_segments_hold),
	};
	begin_in_memory();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	end_in_memory();
	return failed;
}
