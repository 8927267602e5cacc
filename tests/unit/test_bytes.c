/* What is read of a segment is what was written there, or an error: whichever byte is wrong, with whatever index. */
#include "fixture.h"

#include <pthread.h>
#include <sys/syscall.h>

#include "bytes.h"
#include "find.h"
#include "mended.h"
#include "table.h"

static struct fixture f;
static char *whole; /* the stream as it was written */
static size_t whole_len;
static unsigned told;
static char sentence[1024];

/* A disk that is slow, until it is told otherwise. */
static _Atomic bool reads_wait, read_came;

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	for (; reads_wait; usleep(500))
		read_came = true;
	return syscall(SYS_pread64, fd, buf, len, off);
}

static void tell(const char *text)
{
	told++;
	snprintf(sentence, sizeof sentence, "%s", text);
}

/* Three segments at least: more than two chunks each. */
static int setup(void **state)
{
	char value[3000];

	(void)state;
	fixture_start(&f, 150000);
	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = 0;
	for (int i = 0; i < 130; i++)
		fixture_put(&f, fixture_second + 1, i % 3 ? "zzz" : "aaa", value);
	whole_len = (size_t)store_len(f.store);
	must((whole = malloc(whole_len)));
	assert_int_equal(store_read(f.store, 0, whole, whole_len, &f.err), whole_len);
	store_damage(f.store)->tell = tell;
	told = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(whole);
	fixture_end(&f);
	return 0;
}

static void reopen(void)
{
	fixture_close(&f);
	fixture_open(&f, 150000);
	store_damage(f.store)->tell = tell;
	told = 0;
}

static char *nth_name(size_t n)
{
	static char name[128];
	char text[SEGMENT_NAME_MAX];

	snprintf(name, sizeof name, "segments/%s",
	         segment_name(text, segments_start(store_segments(f.store), n).first));
	return name;
}

static char *nth_index(size_t n)
{
	char *name = nth_name(n);

	strcpy(name + strlen(name) - 3, "idx");
	return name;
}

static void reads_of_any_length_from_anywhere_give_what_was_written(void **state)
{
	static const size_t lens[] = {1, 2, 4096, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 3 * CHUNK_LEN, 1 << 20};
	static const long near[] = {-4097, -2, -1, 0, 1, 2};
	char *buf = malloc(1 << 20);
	uint64_t offs[200];
	size_t count = 0;

	(void)state;
	must(buf);
	for (size_t i = 0; i <= segments_range(store_segments(f.store)).newest; i++)
		for (uint64_t chunk = 0; chunk <= 3; chunk++)
			for (size_t j = 0; j < sizeof near / sizeof *near; j++)
				offs[count++] = segments_start(store_segments(f.store), i).base + chunk * CHUNK_LEN +
				                (uint64_t)near[j];
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < sizeof lens / sizeof *lens; j++) {
			size_t left = offs[i] < whole_len ? whole_len - (size_t)offs[i] : 0;
			if (offs[i] > whole_len)
				continue;
			long n = store_read(f.store, offs[i], buf, lens[j], &f.err);
			assert_int_equal(n, lens[j] < left ? lens[j] : left);
			assert_memory_equal(buf, whole + offs[i], (size_t)n);
		}
	}
	free(buf);
}

/* Every read of `len` bytes either gives them right, or says that they are damaged, where `at` is among
 * the chunk's. */
static void read_all(uint64_t at, size_t len, bool *found)
{
	char *buf = malloc(len);

	must(buf);
	for (uint64_t off = 0; off < whole_len; off += len) {
		size_t want = whole_len - off < len ? whole_len - (size_t)off : len;
		long n = store_read(f.store, off, buf, len, &f.err);
		if (n < 0) {
			assert_int_equal(n, -EBADMSG);
			assert_true(off < at + CHUNK_LEN && at < off + want + CHUNK_LEN);
			*found = true;
		} else {
			assert_int_equal(n, want);
			assert_memory_equal(buf, whole + off, want);
		}
	}
	free(buf);
}

static void a_flipped_byte_is_never_read_in_any_segment(void **state)
{
	size_t newest = segments_range(store_segments(f.store)).newest;

	(void)state;
	assert_true(newest >= 2);
	for (size_t i = 0; i <= newest; i++) {
		uint64_t base = segments_start(store_segments(f.store), i).base;
		size_t len = fixture_size(&f, nth_name(i));
		for (size_t step = 0; step * 7919 < len + 7919; step++) {
			size_t at = step * 7919 < len ? step * 7919 : len - 1;
			bool found = false;
			fixture_flip(&f, nth_name(i), at);
			read_all(base + at, 4096, &found);
			assert_true(found);
			found = false;
			read_all(base + at, 1 << 20, &found);
			assert_true(found);
			fixture_flip(&f, nth_name(i), at);
		}
	}
	/* Mended, it is read again. */
	bool found = false;
	read_all(0, 4096, &found);
	assert_false(found);
}

static void damage_is_told_once_for_each_file(void **state)
{
	char text[1024], byte;
	bool found = false;

	(void)state;
	assert_string_equal(damage_print(store_damage(f.store), text, sizeof text), "");
	fixture_flip(&f, nth_name(1), 70000);
	read_all(segments_start(store_segments(f.store), 1).base + 70000, 100, &found);
	assert_int_equal(told, 1);
	assert_non_null(strstr(sentence, nth_name(1)));
	assert_non_null(strstr(sentence, "at 65536"));
	assert_non_null(strstr(sentence, "restore"));
	assert_string_equal(damage_print(store_damage(f.store), text, sizeof text), sentence);
	fixture_flip(&f, nth_name(0), 0);
	assert_int_equal(store_read(f.store, 0, &byte, 1, &f.err), -EBADMSG);
	assert_int_equal(told, 2);
	assert_non_null(strstr(damage_print(store_damage(f.store), text, sizeof text), "1 other"));
}

static bool is_due(void)
{
	char *name = damage_due(store_damage(f.store), store_dirfd(f.store));
	bool due = name != NULL;

	free(name);
	return due;
}

static bool is_mended(size_t segment)
{
	bool mended = mended_is(f.store, NULL, nth_name(segment), -1);

	if (mended)
		damage_over(store_damage(f.store), nth_name(segment));
	return mended;
}

static void damage_is_told_until_it_is_mended(void **state)
{
	uint64_t base = segments_start(store_segments(f.store), 1).base;
	struct damage *damage = store_damage(f.store);
	char text[1024], byte;
	size_t len;

	(void)state;
	assert_false(is_due());
	fixture_flip(&f, nth_name(1), 70000);
	fixture_flip(&f, nth_name(1), 140000);
	fixture_flip(&f, nth_name(0), 0);
	assert_int_equal(store_read(f.store, base + 70000, &byte, 1, &f.err), -EBADMSG);
	assert_int_equal(store_read(f.store, 0, &byte, 1, &f.err), -EBADMSG);
	assert_int_equal(told, 2);
	assert_true(is_due());
	assert_true(is_due());
	assert_false(is_due()); /* not again before it has changed */
	assert_false(is_mended(1));
	fixture_flip(&f, nth_name(1), 70000);
	assert_true(is_due());
	assert_false(is_mended(1)); /* there is more */
	assert_int_equal(damage_count(damage), 2);
	fixture_flip(&f, nth_name(1), 140000);
	assert_true(is_mended(1));
	assert_int_equal(damage_count(damage), 1);
	assert_non_null(strstr(damage_print(damage, text, sizeof text), nth_name(0)));
	/* Another file, in its place. */
	char *copy = fixture_read(&f, nth_name(0), &len);
	copy[0] ^= 1;
	fixture_unlink(&f, nth_name(0));
	assert_false(is_mended(0));
	fixture_write(&f, nth_name(0), copy, len);
	free(copy);
	assert_true(is_due());
	assert_true(is_mended(0));
	assert_string_equal(damage_print(damage, text, sizeof text), "");
	assert_int_equal(store_read(f.store, 0, &byte, 1, &f.err), 1);
	assert_int_equal(byte, whole[0]);
	/* And again. */
	fixture_flip(&f, nth_name(0), 0);
	assert_int_equal(store_read(f.store, 0, &byte, 1, &f.err), -EBADMSG);
	assert_int_equal(told, 3);
}

static void a_segment_that_others_read_is_found_mended(void **state)
{
	uint64_t base = segments_start(store_segments(f.store), 1).base;
	struct segment *segment;
	char byte;
	size_t len;

	(void)state;
	works(segments_hold(store_segments(f.store), 1, &segment, &f.err), f.err);
	char *copy = fixture_read(&f, nth_name(1), &len);
	fixture_flip(&f, nth_name(1), 70000);
	assert_int_equal(store_read(f.store, base + 70000, &byte, 1, &f.err), -EBADMSG);
	assert_false(is_mended(1));
	fixture_unlink(&f, nth_name(1));
	fixture_write(&f, nth_name(1), copy, len);
	free(copy);
	assert_true(is_mended(1));
	assert_int_equal(store_read(f.store, base + 70000, &byte, 1, &f.err), 1);
	assert_int_equal(bytes_read(segment, 70000, &byte, 1, &f.err), 1);
	assert_int_equal(byte, whole[base + 70000]);
	segments_release(segment);
}

static void what_changes_all_the_time_is_looked_at_by_and_by(void **state)
{
	struct damage *damage = store_damage(f.store);
	char byte;

	(void)state;
	fixture_flip(&f, nth_name(0), 0);
	assert_int_equal(store_read(f.store, 0, &byte, 1, &f.err), -EBADMSG);
	assert_true(is_due());
	fixture_flip(&f, nth_name(0), 1); /* while it is looked at */
	damage_stays(damage, nth_name(0), store_dirfd(f.store), 60000);
	fixture_flip(&f, nth_name(0), 1);
	assert_false(is_due());
	damage_stays(damage, nth_name(0), store_dirfd(f.store), 0);
	assert_true(is_due());
	assert_false(is_due());
}

static void what_has_not_changed_while_it_was_looked_at_is_looked_at_once_it_does(void **state)
{
	struct damage *damage = store_damage(f.store);
	char byte;

	(void)state;
	fixture_flip(&f, nth_name(0), 0);
	assert_int_equal(store_read(f.store, 0, &byte, 1, &f.err), -EBADMSG);
	assert_true(is_due());
	damage_stays(damage, nth_name(0), store_dirfd(f.store), 60000);
	assert_false(is_due());
	fixture_flip(&f, nth_name(0), 0);
	assert_true(is_due());
	assert_true(is_mended(0));
}

static void *read_a_byte(void *off)
{
	struct err err;
	char byte;

	assert_int_equal(store_read(f.store, *(uint64_t *)off, &byte, 1, &err), 1);
	return NULL;
}

static void *open_the_first(void *opened)
{
	struct segment *segment;
	struct err err;

	assert_int_equal(segments_hold(store_segments(f.store), 0, &segment, &err), 0);
	assert_int_equal(segments_renew(store_segments(f.store), segment, &err), 0);
	segments_release(segment);
	*(_Atomic bool *)opened = true;
	return NULL;
}

static void no_other_file_waits_for_an_index_that_is_built(void **state)
{
	_Atomic bool opened = false;
	pthread_t reader, other;

	(void)state;
	fixture_unlink(&f, nth_index(1));
	reopen();
	uint64_t base = segments_start(store_segments(f.store), 1).base;
	read_came = false;
	reads_wait = true;
	must(pthread_create(&reader, NULL, read_a_byte, &base) == 0);
	for (int i = 0; !read_came && i < 120000; i++)
		usleep(500);
	bool came = read_came;
	must(pthread_create(&other, NULL, open_the_first, (void *)&opened) == 0);
	for (int i = 0; !opened && i < 10000; i++)
		usleep(1000);
	bool in_time = opened;
	reads_wait = false;
	pthread_join(reader, NULL);
	pthread_join(other, NULL);
	assert_true(came); /* within a minute */
	assert_true(in_time);
	assert_true(fixture_size(&f, nth_index(1)) > 0);
}

/* A table's file, look-ups and listings go the same way. */
static void whatever_reads_lines_finds_it(void **state)
{
	struct table_set *tables = table_set_new(f.store);
	struct table_cursor cursor = {0};
	struct table *table;
	struct place place;
	char *buf = malloc(whole_len);

	(void)state;
	must(tables && buf);
	assert_int_equal(table_get(tables, "zzz", &table, &f.err), 1);
	assert_true(table_read(table, &cursor, 0, buf, whole_len, &f.err) > 0);
	fixture_flip(&f, nth_name(1), 100000);
	cursor.valid = false;
	assert_int_equal(table_read(table, &cursor, 0, buf, whole_len, &f.err), -EBADMSG);
	struct position last = segments_start(store_segments(f.store), 2).first;
	last.seq--; /* behind the damage, in the last block of its segment */
	fixture_flip(&f, nth_name(1), 100000);
	assert_int_equal(find_line(f.store, last, &place, &f.err), 1);
	fixture_flip(&f, nth_name(1), fixture_size(&f, nth_name(1)) - 300);
	assert_int_equal(find_line(f.store, last, &place, &f.err), -EBADMSG);
	table_set_free(tables);
	free(buf);
}

static void no_index_is_made_of_wrong_bytes(void **state)
{
	char byte;

	(void)state;
	fixture_flip(&f, nth_name(1), 3000); /* within a value: the line stays a line */
	fixture_unlink(&f, nth_index(1));
	reopen();
	uint64_t base = segments_start(store_segments(f.store), 1).base;
	for (int i = 0; i < 3; i++)
		assert_int_equal(store_read(f.store, base + 3000, &byte, 1, &f.err), -EBADMSG);
	assert_non_null(strstr(f.err.text, "checksum differs"));
	assert_int_equal(told, 1);
	char *names = fixture_names(&f, ".idx"), *name = nth_index(1) + strlen("segments/");
	assert_null(strstr(names, name));
	free(names);
	assert_false(is_mended(1));
	fixture_flip(&f, nth_name(1), 3000);
	assert_true(is_mended(1));
	assert_int_equal(store_read(f.store, base + 3000, &byte, 1, &f.err), 1);
	assert_int_equal(byte, whole[base + 3000]);
}

/* Of the same length, and its checksum is right. */
static void another_segments_index_is_built_again_in_silence(void **state)
{
	struct index *index;
	uint64_t from = 0;
	size_t len = fixture_size(&f, nth_name(1)), had;
	bool found = false;

	(void)state;
	char *text = fixture_read(&f, nth_name(1), &had), *path;
	memset(strstr(text, "vvvv"), 'w', 10);
	fixture_write(&f, "stranger", text, had);
	free(text);
	path = fixture_path(&f, "stranger");
	int fd = open(path, O_RDONLY);
	must((index = index_new()));
	works(segment_index(fd, &from, len, index, &f.err), f.err);
	index_show(index);
	works(index_save(index, store_segments_dirfd(f.store), nth_index(1) + strlen("segments/"), len, &f.err), f.err);
	index_free(index);
	close(fd);
	free(path);
	reopen();
	read_all(0, 4096, &found);
	assert_false(found);
	assert_int_equal(told, 0);
}

/* The writer reads definitions back, to put them into the next segment. */
static void a_damaged_definition_gets_no_right_sum(void **state)
{
	size_t len;

	(void)state;
	fixture_begin(&f, fixture_second + 1);
	fixture_define(&f, "q", 99, "text");
	fixture_commit(&f);
	fixture_sync(&f);
	size_t newest = segments_range(store_segments(f.store)).newest;
	char *text = fixture_read(&f, nth_name(newest), &len);
	char *at = strstr(text, "_relid\t99");
	must(at);
	fixture_flip(&f, nth_name(newest), (size_t)(at - text) + 30);
	free(text);
	int r = writer_begin(f.writer, fixture_second + 2 * 86400, &f.err); /* another day: another segment */
	assert_true(r < 0 && r != -EAGAIN);
	assert_non_null(strstr(f.err.text, "damaged"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(reads_of_any_length_from_anywhere_give_what_was_written),
	    TEST(a_flipped_byte_is_never_read_in_any_segment),
	    TEST(damage_is_told_once_for_each_file),
	    TEST(damage_is_told_until_it_is_mended),
	    TEST(a_segment_that_others_read_is_found_mended),
	    TEST(what_changes_all_the_time_is_looked_at_by_and_by),
	    TEST(what_has_not_changed_while_it_was_looked_at_is_looked_at_once_it_does),
	    TEST(no_other_file_waits_for_an_index_that_is_built),
	    TEST(whatever_reads_lines_finds_it),
	    TEST(no_index_is_made_of_wrong_bytes),
	    TEST(another_segments_index_is_built_again_in_silence),
	    TEST(a_damaged_definition_gets_no_right_sum),
	};
	return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
