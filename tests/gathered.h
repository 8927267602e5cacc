/*
 * gathered.h - an overlap for the unit tests, as it is gathered, and a plain filter of all that is stored.
 */
#ifndef TESTS_GATHERED_H
#define TESTS_GATHERED_H

#include "fixture.h"

#include "crc32c.h"
#include "overlap.h"

enum { SMALL_SEGMENT = 1500 };

static struct fixture f;
static struct visible visible;
static struct lacking lacking;
static struct overlap *overlap;
static struct overlap_end end;
static int out;

static inline int setup_with(uint64_t segment_bytes)
{
	fixture_start(&f, segment_bytes);
	overlap = NULL;
	char *path = fixture_path(&f, "overlap");
	out = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	free(path);
	return out < 0 ? -1 : 0;
}

static inline int setup(void **state)
{
	(void)state;
	return setup_with(SMALL_SEGMENT);
}

static inline int teardown(void **state)
{
	(void)state;
	overlap_close(overlap);
	visible_fini(&visible);
	lacking_fini(&lacking);
	close(out);
	fixture_end(&f);
	return 0;
}

/* ---- what is done to both ------------------------------------------------ */

static inline void know(const char *pairs)
{
	must(lacking_know(&lacking, (struct span){pairs, strlen(pairs)}, &f.err) == 0);
}

static inline void see(const char *snapshot)
{
	visible_fini(&visible);
	works(visible_parse(&visible, snapshot, &f.err), f.err);
}

static inline int try_open(uint64_t generation)
{
	int dirfd = open(f.path, O_RDONLY | O_DIRECTORY);

	must(dirfd >= 0);
	overlap_close(overlap);
	lacking_fini(&lacking);
	know("_table\tzzz");
	know("_table\tother.table");
	int r = overlap_open(&overlap, dirfd, generation, &visible, &lacking, out, &f.err);
	must((r == 0) == (overlap != NULL));
	close(dirfd);
	return r;
}

static inline void begin(const char *snapshot)
{
	must(ftruncate(out, 0) == 0 && lseek(out, 0, SEEK_SET) == 0);
	see(snapshot);
	works(try_open(1), f.err);
}

static inline int step(uint64_t marker_xid)
{
	int r = overlap_step(overlap, marker_xid, &end, &f.err);

	works(r, f.err);
	return r;
}

/* A transaction of `lines` lines. */
static inline void transact(uint64_t second, unsigned xid, unsigned lines)
{
	char value[64];

	fixture_begin(&f, second);
	f.xid = xid;
	for (unsigned i = 0; i < lines; i++) {
		snprintf(value, sizeof value, "%u-%u", xid, i);
		fixture_insert(&f, i % 2 ? "zzz" : "other.table", value);
	}
	fixture_commit(&f);
}

/* All that is committed is on disk, and the store tells so. */
static inline void mark(void)
{
	fixture_sync(&f);
	works(durable_mark(writer_durable(f.writer), &f.err), f.err);
}

/* Segments of one transaction each: days differ. The first is the generation's start. */
static inline void put_days(const unsigned *xids, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		transact(fixture_second + 86400 * (i + 1), xids[i], 2);
	mark();
}

/* ---- what is right ------------------------------------------------------- */

static inline bool naive_visible(const char *snapshot, uint64_t xid)
{
	unsigned long long xmin, xmax;
	int n = 0;

	must(sscanf(snapshot, "%llu:%llu:%n", &xmin, &xmax, &n) == 2 && n > 0);
	if (xid < xmin || xid >= xmax)
		return xid < xmin;
	for (const char *at = snapshot + n; *at; at += strcspn(at, ",") + (strchr(at, ',') != NULL))
		if (strtoull(at, NULL, 10) == xid)
			return false;
	return true;
}

/* Everything shown that is not seen, up to the marker's commit. */
static inline char *naive_overlap(const char *snapshot, uint64_t marker_xid, size_t *len)
{
	size_t stored_len, since = 0;
	char *stored = fixture_shown(f.store, &stored_len), *want = malloc(stored_len + 1);
	bool marked = false;

	must(want);
	*len = 0;
	for (char *at = stored; !marked && at < stored + stored_len;) {
		struct line_head head;
		size_t line_len = (size_t)(strchr(at, '\n') - at);
		must(line_parse(at, line_len, &head));
		uint64_t xid = head.xid.at ? strtoull(head.xid.at, NULL, 10) : 0;
		bool commit = span_is(head.action, "commit");
		if (xid && (xid == marker_xid || !naive_visible(snapshot, xid))) {
			memcpy(want + *len, at, line_len + 1);
			*len += line_len + 1;
			if (commit) {
				char digits[9];
				size_t covered = *len - strlen("crc\t01234567\n") - since;
				snprintf(digits, sizeof digits, "%08x", crc32c(0, want + since, covered));
				memcpy(want + *len - 9, digits, 8);
				since = *len;
				marked = xid == marker_xid;
			}
		}
		at += line_len + 1;
	}
	free(stored);
	return want;
}

/* By docs/FORMAT.md alone. */
static inline void check_format(const char *text, size_t len, uint64_t marker_xid)
{
	struct position last = {0};
	struct line_head head;
	struct commit commit = {0};
	size_t since = 0;

	for (size_t at = 0; at < len;) {
		const char *newline = memchr(text + at, '\n', len - at);
		must(newline && line_parse(text + at, (size_t)(newline - text) - at, &head) && head.stamped);
		assert_true(position_cmp(head.position, last) > 0);
		assert_non_null(head.xid.at);
		last = head.position;
		if (commit_parse(&head, &commit)) {
			assert_true(commit.has_crc);
			assert_int_equal(commit.crc, crc32c(0, text + since, (size_t)(commit.crc_at - text) - since));
			since = (size_t)(newline - text) + 1;
		}
		at = (size_t)(newline - text) + 1;
	}
	assert_int_equal(since, len);
	assert_true(strtoull(head.xid.at, NULL, 10) == marker_xid);
	assert_true(end.position.epoch == last.epoch && end.position.seq == last.seq + 1);
	assert_true(end.lsn == commit.lsn);
}

static inline void check_overlap(const char *snapshot, uint64_t marker_xid)
{
	size_t len, want_len;
	char *text = fixture_read(&f, "overlap", &len), *want = naive_overlap(snapshot, marker_xid, &want_len);

	assert_int_equal(len, want_len);
	assert_memory_equal(text, want, len);
	check_format(text, len, marker_xid);
	assert_true(end.bytes == len);
	assert_int_equal(end.crc, crc32c(0, text, len));
	assert_true(end.origin.generation == 1 && end.origin.system == 7123);
	assert_string_equal(end.origin.database, "app");
	free(text);
	free(want);
}

#endif
