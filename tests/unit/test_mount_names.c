/* A real mount: what is given up, what numbers files have, how many there may be, and how many may be slow. */
#include <inttypes.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#include "crc32c.h"
#include "fixture.h"
#include "mounted.h"

static struct fixture f;
static struct mounted m;

/* The disk stands still. */
static atomic_bool still;

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	while (still)
		usleep(1000);
	return syscall(SYS_pread64, fd, buf, len, off);
}

/* ---- what is given up */

static void a_second_in_the_cache_is_not_opened_once_it_is_given_up(void **state)
{
	struct segments *segments;
	char buf[1000], path[64];
	struct stat st;

	(void)state;
	fixture_start(&f, 1000);
	for (unsigned i = 0; i < 40; i++)
		fixture_put(&f, fixture_second + 1 + i / 4, "zzz", "a line that is long enough for its segment");
	segments = store_segments(f.store);
	mounted_start(&m, &f, NULL);
	snprintf(path, sizeof path, "by-time/%" PRIu64 "/all", fixture_second + 1);
	int file = open(mounted_path(&m, path), O_RDONLY);
	must(file >= 0);
	ssize_t len = read(file, buf, sizeof buf);
	must(len > 0 && stat(mounted_path(&m, path), &st) == 0 && st.st_size == len);
	segments_give_up(segments, segments_range(segments).newest);
	assert_int_equal(open(mounted_path(&m, path), O_RDONLY), -1);
	assert_int_equal(errno, ESTALE);
	/* Who has it goes on. */
	assert_int_equal(pread(file, buf, sizeof buf, 0), len);
	close(file);
	for (int tries = 0; stat(mounted_path(&m, path), &st) == 0; tries++) {
		if (tries > 100)
			fail_msg("%s is still there", path);
		usleep(100000);
	}
	assert_int_equal(errno, ESTALE);
	mounted_stop(&m);
	fixture_end(&f);
}

/* ---- numbers */

static const char *const lasting[] = {"",
                                      "live",
                                      "status",
                                      "metrics",
                                      "tables",
                                      "schema",
                                      "tables/zzz",
                                      "tables/yyy",
                                      "by-time",
                                      "days",
                                      "since",
                                      "snapshots",
                                      "schema/zzz",
                                      "days/2017-10-09",
                                      "by-time/1507507200",
                                      "by-time/1507507200/0",
                                      "by-time/1507507200/all",
                                      "since/7",
                                      "since/7/8",
                                      "since/7/8/live",
                                      "since/7/8/tables",
                                      "since/7/8/tables/zzz",
                                      "since/1507507200/8/tables/zzz",
                                      "since/18446744073709551615/18446744073709551615/live"};
enum { LASTING = sizeof lasting / sizeof *lasting };

static void take_numbers(ino_t *inos, bool backwards)
{
	struct stat st;

	mounted_start(&m, &f, NULL);
	for (size_t i = 0; i < LASTING; i++) {
		size_t k = backwards ? LASTING - 1 - i : i;
		if (stat(mounted_path(&m, lasting[k]), &st) < 0)
			fail_msg("%s: %s", lasting[k], strerror(errno));
		inos[k] = st.st_ino;
	}
	mounted_stop(&m);
}

static void numbers_and_modes_stay_over_a_restart(void **state)
{
	ino_t before[LASTING], after[LASTING];

	(void)state;
	fixture_start(&f, FIXTURE_SEGMENT);
	fixture_begin(&f, fixture_second);
	fixture_define(&f, "zzz", 7, "text");
	fixture_commit(&f);
	fixture_put(&f, fixture_second, "zzz", "1");
	fixture_put(&f, fixture_second + DAY_SECONDS, "yyy", "1");
	take_numbers(before, false);
	fixture_close(&f);
	fixture_open(&f, FIXTURE_SEGMENT);
	fixture_put(&f, fixture_second + DAY_SECONDS, "xxx", "1");
	take_numbers(after, true);
	for (size_t i = 0; i < LASTING; i++) {
		if (before[i] != after[i])
			fail_msg("%s was %" PRIu64 " and is %" PRIu64, lasting[i], (uint64_t)before[i],
			         (uint64_t)after[i]);
		for (size_t k = 0; k < i; k++)
			if (before[i] == before[k])
				fail_msg("%s has the number of %s", lasting[i], lasting[k]);
	}
	fixture_end(&f);
}

/* ---- handles, as an NFS server has them */

struct held {
	struct file_handle handle;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static struct held hold(const char *path)
{
	struct held held = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
	int mount_id;

	must(name_to_handle_at(AT_FDCWD, mounted_path(&m, path), &held.handle, &mount_id, 0) == 0);
	return held;
}

/* What it leads to has this in it; NULL: it leads to nothing. */
static void leads_to(struct held *held, const char *wanted)
{
	int root = open(m.path, O_RDONLY | O_DIRECTORY);
	char buf[100] = "";

	must(root >= 0);
	int file = open_by_handle_at(root, &held->handle, O_RDONLY), why = errno;
	ssize_t len = file < 0 ? 0 : read(file, buf, sizeof buf - 1);
	close(root); /* who fails below, and ends, must have nothing open in a mount of its own: that would never end */
	if (file >= 0)
		close(file);
	if (wanted) {
		must(file >= 0 && len > 0);
		must(strstr(buf, wanted));
	} else {
		assert_int_equal(file < 0 ? why : 0, ESTALE);
	}
}

static void only(const char *name, const char *other)
{
	fixture_start(&f, FIXTURE_SEGMENT);
	fixture_put(&f, fixture_second, name, "1");
	if (other)
		fixture_put(&f, fixture_second, other, "1");
	mounted_start(&m, &f, NULL);
}

static void no_more(void)
{
	mounted_stop(&m);
	fixture_end(&f);
}

/* Of a table from a position on. zzz and t19360 are names that share the hash of its number (tree.h). */
static void a_handle_leads_to_its_file_or_nowhere(void **state)
{
	static const char zzz[] = "since/1507507200/0/tables/zzz", other[] = "since/1507507200/0/tables/t19360";
	struct stat st[2];

	(void)state;
	if (geteuid() != 0)
		skip(); /* nobody else may open by a handle */
	only("zzz", NULL);
	struct held held = hold(zzz);
	must(stat(mounted_path(&m, zzz), &st[0]) == 0);
	leads_to(&held, "\tzzz\t");
	no_more();

	only("zzz", "yyy"); /* the daemon was started again */
	leads_to(&held, "\tzzz\t");
	no_more();

	only("t19360", NULL); /* the other one alone is left, and was not looked up */
	leads_to(&held, NULL);
	must(stat(mounted_path(&m, other), &st[1]) == 0);
	assert_int_equal(st[0].st_ino, st[1].st_ino);
	leads_to(&held, NULL);
	no_more();

	only("t19360", "zzz");
	leads_to(&held, NULL);
	must(stat(mounted_path(&m, other), &st[1]) == 0); /* which has the number from now on */
	leads_to(&held, NULL);
	must(stat(mounted_path(&m, zzz), &st[0]) == 0 && st[0].st_ino != st[1].st_ino);
	leads_to(&held, NULL);
	no_more();

	only("t19360", "zzz");
	must(stat(mounted_path(&m, zzz), &st[0]) == 0);
	leads_to(&held, "\tzzz\t");
	no_more();
}

/* ---- many seconds */

/* What a sanitizer keeps tells nothing of what is needed. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { MANY = 20000, GROWTH_KB = 1 << 20 };
#else
enum { MANY = 300000, GROWTH_KB = 8000 };
#endif

/* A segment of one transaction, in which each line has a second of its own. */
static void write_seconds(unsigned count)
{
	static const char origin[] =
	    "_action\torigin\tsystem\t7123\ttimeline\t1\tdatabase\tapp\tslot\tdaystream\tgeneration\t2\n";
	char *path = fixture_path(&f, "segments/1600000000.0.day"), line[300];
	FILE *file = fopen(path, "w");
	uint32_t crc = 0;
	int n = 0;

	must(file);
	for (unsigned i = 0; i <= count; i++) {
		n = snprintf(line, sizeof line, "_c\t%u\t_s\t0\t", 1600000000 + i);
		if (i < count)
			n += snprintf(line + n, sizeof line - (size_t)n, "%s", i ? "_action\tmessage\n" : origin);
		else
			n += snprintf(line + n, sizeof line - (size_t)n,
			              "_xid\t7\t_action\tcommit\tlsn\t0/2000000\ttime\t2020-09-13 12:26:40+00\t");
		crc = crc32c(crc, line, (size_t)n);
		must(fwrite(line, 1, (size_t)n, file) == (size_t)n);
	}
	must(fprintf(file, "crc\t%08x\n", crc) > 0 && fclose(file) == 0);
	free(path);
}

static size_t memory_kb(void)
{
	char line[200];
	size_t kb = 0;
	FILE *file = fopen("/proc/self/status", "r");

	must(file);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "VmRSS: %zu", &kb) == 1)
			break;
	fclose(file);
	return kb;
}

/* How many are listed, and the most memory that it took. */
static unsigned list_seconds(size_t *most_kb)
{
	DIR *dir = opendir(mounted_path(&m, "by-time"));
	struct dirent *entry;
	unsigned count = 0;

	must(dir);
	*most_kb = 0;
	while ((entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		unsigned long second = strtoul(entry->d_name, NULL, 10);
		if (count > 0 && second != 1600000000 + count - 1)
			fail_msg("%s is listed at %u", entry->d_name, count);
		if (count++ % 10000 == 0 && memory_kb() > *most_kb)
			*most_kb = memory_kb();
	}
	closedir(dir);
	return count;
}

/* Or as many as SECONDS_LISTED says. */
static void seconds_without_number_are_listed_in_bounded_memory(void **state)
{
	const char *wanted = getenv("SECONDS_LISTED");
	unsigned count = wanted ? (unsigned)atoi(wanted) : MANY;
	size_t before, most;

	(void)state;
	f = (struct fixture){0};
	fixture_folder(&f);
	fixture_origin(&f);
	write_seconds(count);
	works(store_open(&f.store, f.path, STORE_READ, &f.err), f.err);
	mounted_start(&m, &f, NULL);
	uint64_t start = mounted_ms();
	before = memory_kb();
	assert_int_equal(list_seconds(&most), count + 2); /* and that of the first segment */
	printf("# %u seconds listed in %llu ms, %zu kB before, %zu kB at most\n", count,
	       (unsigned long long)(mounted_ms() - start), before, most);
	mounted_stop(&m);
	fixture_end(&f);
	assert_true(most < before + GROWTH_KB);
}

/* ---- who is slow */

enum { SLOW = 32 };

static void *read_live(void *arg)
{
	char buf[100];

	must(read(*(int *)arg, buf, sizeof buf) > 0);
	return NULL;
}

static void *look(void *looked)
{
	struct stat st;

	must(stat(mounted_path(&m, "status"), &st) == 0);
	atomic_store((atomic_bool *)looked, true);
	return NULL;
}

static void who_waits_for_the_disk_keeps_nobody_else_waiting(void **state)
{
	pthread_t threads[SLOW], looking;
	int files[SLOW];
	atomic_bool looked = false;

	(void)state;
	fixture_start(&f, 1000);
	fixture_put(&f, fixture_second + 1, "zzz", "fox61");
	mounted_start(&m, &f, NULL);
	for (int i = 0; i < SLOW; i++)
		must((files[i] = open(mounted_path(&m, "live"), O_RDONLY)) >= 0);
	still = true;
	for (int i = 0; i < SLOW; i++)
		must(pthread_create(&threads[i], NULL, read_live, &files[i]) == 0);
	usleep(500000);
	must(pthread_create(&looking, NULL, look, &looked) == 0);
	for (uint64_t until = mounted_ms() + 5000; !looked && mounted_ms() < until;)
		usleep(1000);
	bool in_time = looked;
	still = false;
	pthread_join(looking, NULL);
	for (int i = 0; i < SLOW; i++) {
		pthread_join(threads[i], NULL);
		close(files[i]);
	}
	mounted_stop(&m);
	fixture_end(&f);
	assert_true(in_time);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_second_in_the_cache_is_not_opened_once_it_is_given_up),
	    cmocka_unit_test(numbers_and_modes_stay_over_a_restart),
	    cmocka_unit_test(a_handle_leads_to_its_file_or_nowhere),
	    cmocka_unit_test(seconds_without_number_are_listed_in_bounded_memory),
	    cmocka_unit_test(who_waits_for_the_disk_keeps_nobody_else_waiting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
