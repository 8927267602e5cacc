/* A file of a snapshot is read as it was written, or not at all. */
#include "fixture.h"

#include "part.h"
#include "sums.h"

static struct fixture f;
static const struct position position = {1507507300, 4};
static struct damage damage;
static struct part_set *set;
static int folder;
static char file[200000], other[70000];

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "snapshots/1507507300.4/%s", name);
	return path;
}

static void write_manifest(uint64_t sums_bytes, uint32_t sums_crc)
{
	struct manifest manifest = {.position = position,
	                            .visible = (char *)(uintptr_t) "745:745:",
	                            .origin = {.generation = 1, .database = "app", .slot = "daystream"},
	                            .sums_bytes = sums_bytes,
	                            .sums_crc = sums_crc};
	size_t len;
	char *text;

	works(manifest_print(&manifest, &text, &len, &f.err), f.err);
	fixture_write(&f, path_of("manifest"), text, len);
	free(text);
}

/* A folder with two files and their sums. */
static int setup(void **state)
{
	struct chunks chunks[2] = {{0}};
	const struct sums_part parts[] = {{"tables/zzz", &chunks[0]}, {"overlap", &chunks[1]}};
	uint64_t bytes;
	uint32_t crc;
	char path[PATH_MAX];

	(void)state;
	fixture_folder(&f);
	static const char *const folders[] = {"snapshots", "snapshots/1507507300.4", "snapshots/1507507300.4/tables"};
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", f.path, folders[i]);
		must(mkdir(path, 0700) == 0);
	}
	for (size_t i = 0; i < sizeof file; i++)
		file[i] = (char)(i * 7 + i / 251);
	for (size_t i = 0; i < sizeof other; i++)
		other[i] = (char)(i * 3 + 1);
	fixture_write(&f, path_of("tables/zzz"), file, sizeof file);
	fixture_write(&f, path_of("overlap"), other, sizeof other);
	for (size_t done = 0; done < sizeof file; done += 1000) /* in pieces, as it is written */
		must(chunks_add(&chunks[0], file + done, 1000) == 0);
	must(chunks_add(&chunks[1], other, sizeof other) == 0);
	snprintf(path, sizeof path, "%s/%s", f.path, folders[1]);
	int dirfd = open(path, O_RDONLY | O_DIRECTORY);
	must(dirfd >= 0);
	works(sums_write(dirfd, position, parts, 2, &bytes, &crc, &f.err), f.err);
	close(dirfd);
	assert_int_equal(fixture_size(&f, path_of("sums")), bytes);
	chunks_fini(&chunks[0]);
	chunks_fini(&chunks[1]);
	write_manifest(bytes, crc);
	damage_init(&damage);
	folder = open(f.path, O_RDONLY | O_DIRECTORY);
	must(folder >= 0 && (set = part_set_new(folder, &damage)));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	part_set_free(set);
	close(folder);
	damage_fini(&damage);
	nftw(f.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static int open_it(struct part **part, const char *name)
{
	return part_open(part, set, position, name, &f.err);
}

/* Of each read, what it gave is right; returns how many gave nothing. */
static unsigned read_all(const char *name, const char *wanted, size_t len, size_t step)
{
	struct part *part;
	char *buf = malloc(step);
	unsigned failed = 0;

	must(buf);
	works(open_it(&part, name), f.err);
	assert_int_equal(part_len(part), len);
	for (size_t off = 0; off < len; off += step) {
		size_t want = len - off < step ? len - off : step;
		long n = part_read(part, off, buf, step, &f.err);
		failed += n < 0;
		assert_int_equal(n, n < 0 ? -EBADMSG : (long)want);
		if (n > 0)
			assert_memory_equal(buf, wanted + off, want);
	}
	part_close(part);
	free(buf);
	return failed;
}

static void a_snapshot_is_read_as_it_was_written(void **state)
{
	(void)state;
	assert_int_equal(read_all("tables/zzz", file, sizeof file, 4096), 0);
	assert_int_equal(read_all("tables/zzz", file, sizeof file, 128 << 10), 0);
	assert_int_equal(read_all("overlap", other, sizeof other, 1 << 20), 0);
	assert_int_equal(damage.count, 0);
}

static void a_flipped_byte_is_never_read(void **state)
{
	static const size_t places[] = {0, 1, 65535, 65536, 131071, 131072, sizeof file - 1};

	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		fixture_flip(&f, path_of("tables/zzz"), places[i]);
		unsigned failed = read_all("tables/zzz", file, sizeof file, 4096);
		assert_in_range(failed, 1, CHUNK_LEN / 4096);
		assert_int_equal(read_all("overlap", other, sizeof other, 4096), 0);
		fixture_flip(&f, path_of("tables/zzz"), places[i]);
	}
	assert_int_equal(damage.count, 1);
	assert_non_null(strstr(damage.last, "snapshots/1507507300.4/tables/zzz"));
}

static void wrong_sums_are_no_sums(void **state)
{
	struct part *part;
	size_t len = fixture_size(&f, path_of("sums"));

	(void)state;
	for (size_t at = 0; at < len; at++) {
		fixture_flip(&f, path_of("sums"), at);
		int table = open_it(&part, "tables/zzz");
		if (table == 0)
			part_close(part);
		int overlap = open_it(&part, "overlap");
		if (overlap == 0)
			part_close(part);
		/* A file's own sums say nothing of the other. */
		assert_true(table == -EBADMSG || overlap == -EBADMSG);
		fixture_flip(&f, path_of("sums"), at);
	}
	assert_non_null(strstr(damage.last, "snapshots/1507507300.4/sums"));
}

static void sums_that_are_missing_are_damage_and_those_that_never_were_are_not(void **state)
{
	struct part *part;

	(void)state;
	fixture_unlink(&f, path_of("sums"));
	assert_int_equal(open_it(&part, "overlap"), -EBADMSG);
	assert_non_null(strstr(f.err.text, "sums"));
	write_manifest(0, 0);
	assert_int_equal(read_all("tables/zzz", file, sizeof file, 4096), 0);
	assert_int_equal(read_all("overlap", other, sizeof other, 4096), 0);
}

static void a_file_that_is_shorter_or_longer_is_damaged(void **state)
{
	struct part *part;

	(void)state;
	fixture_cut(&f, path_of("tables/zzz"), sizeof file - 1);
	assert_int_equal(open_it(&part, "tables/zzz"), -EBADMSG);
	fixture_cut(&f, path_of("tables/zzz"), sizeof file + 1);
	assert_int_equal(open_it(&part, "tables/zzz"), -EBADMSG);
	assert_int_equal(open_it(&part, "tables/other"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_snapshot_is_read_as_it_was_written),
	    TEST(a_flipped_byte_is_never_read),
	    TEST(wrong_sums_are_no_sums),
	    TEST(sums_that_are_missing_are_damage_and_those_that_never_were_are_not),
	    TEST(a_file_that_is_shorter_or_longer_is_damaged),
	};
	return cmocka_run_group_tests_name("part", tests, NULL, NULL);
}
