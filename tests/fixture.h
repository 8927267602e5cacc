/*
 * fixture.h - stores for the unit tests: a folder of its own for each test,
 * a store in it, and transactions to put there. What fails here fails the test.
 */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "origin.h"
#include "store.h"
#include "writer.h"

#define must(call)                                                                                                     \
	do {                                                                                                           \
		if (!(call)) {                                                                                         \
			fprintf(stderr, "%s:%d: %s (errno: %s)\n", __FILE__, __LINE__, #call, strerror(errno));        \
			fail();                                                                                        \
		}                                                                                                      \
	} while (0)

/* Fails with the sentence of `err`. */
#define works(call, err)                                                                                               \
	do {                                                                                                           \
		if ((call) < 0) {                                                                                      \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, (err).text);                     \
			fail();                                                                                        \
		}                                                                                                      \
	} while (0)

struct fixture {
	char path[PATH_MAX - 128];
	struct store *store;
	struct writer *writer;
	struct err err;
	uint64_t lsn; /* of the last commit */
	unsigned xid;
	struct line_before before;
};

static const uint64_t fixture_second = 1507507200; /* 2017-10-09 00:00:00 */
static const uint64_t fixture_lsn = 0x1000000;
enum { FIXTURE_SEGMENT = 256 << 20 };

static inline int fixture_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void fixture_folder(struct fixture *f)
{
	const char *base = getenv("TMPDIR");

	snprintf(f->path, sizeof f->path, "%s/daystream-unit.XXXXXX", base && *base ? base : "/tmp");
	must(mkdtemp(f->path));
}

static inline void fixture_origin(struct fixture *f)
{
	char path[PATH_MAX];
	struct origin origin = {.system = 7123, .timeline = 1, .generation = 1, .database = "app", .slot = "daystream"};

	snprintf(path, sizeof path, "%s/segments", f->path);
	must(mkdir(path, 0700) == 0);
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	must(fd >= 0);
	works(origin_write(fd, (struct position){0}, fixture_second, &origin, 9, fixture_lsn, "2017-10-09 00:00:00+00",
	                   &f->err),
	      f->err);
	close(fd);
	f->lsn = fixture_lsn;
	f->xid = 10;
}

static inline void fixture_open(struct fixture *f, uint64_t segment_bytes)
{
	works(store_open(&f->store, f->path, STORE_WRITE, &f->err), f->err);
	works(writer_open(&f->writer, f->store, segment_bytes, &f->err), f->err);
	f->lsn = writer_appended_lsn(f->writer);
}

static inline void fixture_close(struct fixture *f)
{
	writer_close(f->writer);
	store_close(f->store);
	f->writer = NULL;
	f->store = NULL;
}

/* A folder with a new store in it, open. */
static inline void fixture_start(struct fixture *f, uint64_t segment_bytes)
{
	*f = (struct fixture){0};
	fixture_folder(f);
	fixture_origin(f);
	fixture_open(f, segment_bytes);
}

static inline void fixture_end(struct fixture *f)
{
	fixture_close(f);
	nftw(f->path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* How many segments are retained. */
static inline size_t fixture_segments(struct store *store)
{
	struct segments_range range = segments_range(store_segments(store));

	return range.newest + 1 - range.oldest;
}

/* ---- transactions ------------------------------------------------------- */

static inline int fixture_try_line(struct fixture *f, const char *line)
{
	struct line_head head;

	must(line_parse_next(&f->before, line, strlen(line), &head));
	int r = head.same && head.table.at && !head.relid.at /* as incoming.h does it, of rows alone */
	            ? writer_row(f->writer, line, strlen(line), &f->err)
	            : writer_line(f->writer, line, strlen(line), &head, &f->err);
	if (r < 0)
		f->before = (struct line_before){0};
	return r;
}

static inline void fixture_begin(struct fixture *f, uint64_t second)
{
	int r;

	while ((r = writer_begin(f->writer, second, &f->err)) == -EAGAIN)
		works(durable_sync(writer_durable(f->writer), 0, &f->err), f->err);
	works(r, f->err);
	f->xid++;
	f->before = (struct line_before){0};
}

static inline void fixture_insert(struct fixture *f, const char *table, const char *value)
{
	char *line;

	must(asprintf(&line, "_table\t%s\t_xid\t%u\t_action\tinsert\ta\t%s", table, f->xid, value) > 0);
	works(fixture_try_line(f, line), f->err);
	free(line);
}

static inline void fixture_define(struct fixture *f, const char *table, unsigned relid, const char *type)
{
	char line[512];

	snprintf(line, sizeof line,
	         "_table\t%s\t_xid\t%u\t_relid\t%u\t_key\ta\t_action\tschema\ta\tnumber\\t1\\ttype\\t%s", table, f->xid,
	         relid, type);
	works(fixture_try_line(f, line), f->err);
}

static inline int fixture_try_commit(struct fixture *f)
{
	char line[160], lsn[LSN_TEXT_MAX];
	struct line_head head;

	snprintf(line, sizeof line, "_xid\t%u\t_action\tcommit\tlsn\t%s\ttime\t2017-10-09 00:00:00+00", f->xid,
	         lsn_print(lsn, f->lsn + 0x100));
	must(line_parse(line, strlen(line), &head));
	int r = writer_commit(f->writer, line, strlen(line), &head, f->lsn + 0x100, &f->err);
	if (r == 0)
		f->lsn += 0x100;
	return r;
}

static inline void fixture_commit(struct fixture *f)
{
	works(fixture_try_commit(f), f->err);
}

/* All that is committed goes to the disk and is shown. */
static inline void fixture_sync(struct fixture *f)
{
	works(writer_flush(f->writer, &f->err), f->err);
	works(durable_sync(writer_durable(f->writer), 0, &f->err), f->err);
}

/* A whole transaction of one line, shown. */
static inline void fixture_put(struct fixture *f, uint64_t second, const char *table, const char *value)
{
	fixture_begin(f, second);
	fixture_insert(f, table, value);
	fixture_commit(f);
	fixture_sync(f);
}

/* ---- files -------------------------------------------------------------- */

/* The names in segments/ that end as said, sorted, separated by blanks. */
static inline char *fixture_names(const struct fixture *f, const char *ending)
{
	char path[PATH_MAX], *names = calloc(1, 1);
	struct dirent **entries;

	snprintf(path, sizeof path, "%s/segments", f->path);
	int n = scandir(path, &entries, NULL, alphasort);
	must(n >= 0 && names);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(entries[i]->d_name), end = strlen(ending);
		if (entries[i]->d_name[0] != '.' && len >= end && strcmp(entries[i]->d_name + len - end, ending) == 0) {
			names = realloc(names, strlen(names) + len + 2);
			must(names);
			if (*names)
				strcat(names, " ");
			strcat(names, entries[i]->d_name);
		}
		free(entries[i]);
	}
	free(entries);
	return names;
}

/* The path of a file of the store; the last one of that ending for "*.day". */
static inline char *fixture_path(const struct fixture *f, const char *name)
{
	char *path;

	if (*name == '*') {
		char *names = fixture_names(f, name + 1), *last = strrchr(names, ' ');
		must(asprintf(&path, "%s/segments/%s", f->path, last ? last + 1 : names) > 0);
		free(names);
	} else {
		must(asprintf(&path, "%s/%s", f->path, name) > 0);
	}
	return path;
}

static inline char *fixture_read(const struct fixture *f, const char *name, size_t *len)
{
	char *path = fixture_path(f, name), *text;
	struct stat st;
	int fd = open(path, O_RDONLY);

	must(fd >= 0 && fstat(fd, &st) == 0);
	*len = (size_t)st.st_size;
	must((text = malloc(*len + 1)) && read(fd, text, *len) == (ssize_t)*len);
	text[*len] = 0;
	close(fd);
	free(path);
	return text;
}

static inline void fixture_write(const struct fixture *f, const char *name, const char *text, size_t len)
{
	char *path = fixture_path(f, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	close(fd);
	free(path);
}

static inline size_t fixture_size(const struct fixture *f, const char *name)
{
	char *path = fixture_path(f, name);
	struct stat st;

	must(stat(path, &st) == 0);
	free(path);
	return (size_t)st.st_size;
}

static inline void fixture_cut(const struct fixture *f, const char *name, size_t len)
{
	char *path = fixture_path(f, name);

	must(truncate(path, (off_t)len) == 0);
	free(path);
}

static inline void fixture_append(const struct fixture *f, const char *name, const char *text, size_t len)
{
	char *path = fixture_path(f, name);
	int fd = open(path, O_WRONLY | O_APPEND);

	must(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	close(fd);
	free(path);
}

static inline void fixture_flip(const struct fixture *f, const char *name, size_t off)
{
	char *path = fixture_path(f, name), byte = 0;
	int fd = open(path, O_RDWR);

	must(fd >= 0 && pread(fd, &byte, 1, (off_t)off) == 1);
	byte ^= 1;
	must(pwrite(fd, &byte, 1, (off_t)off) == 1);
	close(fd);
	free(path);
}

static inline void fixture_unlink(const struct fixture *f, const char *name)
{
	char *path = fixture_path(f, name);

	must(unlink(path) == 0);
	free(path);
}

/* All that is shown and retained, end to end; the caller frees. */
static inline char *fixture_shown(struct store *store, size_t *len)
{
	uint64_t base = segments_edge(store_segments(store)).base;
	struct err err;

	*len = (size_t)(store_len(store) - base);
	char *text = malloc(*len + 1);
	must(text);
	assert_int_equal(store_read(store, base, text, *len, &err), *len);
	text[*len] = 0;
	return text;
}

#endif
