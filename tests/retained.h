/*
 * retained.h - a store whose transactions are segments of their own, for the unit tests of what is given up.
 */
#ifndef TESTS_RETAINED_H
#define TESTS_RETAINED_H

#include "fixture.h"

#include "dir.h"
#include "retain.h"
#include "shown.h"

enum { DAY = 86400 };

static struct fixture f;
static struct config config;
static struct shown shown;
static struct retain retain;

static inline void open_all(uint64_t segment_bytes)
{
	fixture_open(&f, segment_bytes);
	shown = shown_open(f.store);
	retain = (struct retain){.store = f.store, .tables = shown.tables, .views = shown.views, .config = &config};
}

static inline void close_all(void)
{
	shown_close(&shown);
	fixture_close(&f);
}

/* Each transaction is a segment of its own. */
static inline int setup(void **state)
{
	(void)state;
	config = (struct config){0};
	f = (struct fixture){0};
	fixture_folder(&f);
	fixture_origin(&f);
	open_all(1);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	close_all();
	nftw(f.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static inline int give_up(uint64_t now, bool may_pass)
{
	int r = retain_once(&retain, now, may_pass, &(struct position){0}, &f.err);

	works(r, f.err);
	return r;
}

/* Ten segments behind the first, a day after the other. */
static inline void ten_days(void)
{
	for (unsigned i = 1; i <= 10; i++)
		fixture_put(&f, fixture_second + i * DAY, i % 2 ? "zzz" : "yyy", "fox61");
}

static inline uint64_t day(unsigned i)
{
	return fixture_second + i * DAY;
}

static inline size_t files(const char *ending)
{
	char *names = fixture_names(&f, ending);
	size_t count = *names ? 1 : 0;

	for (char *at = names; *at; at++)
		count += *at == ' ';
	free(names);
	return count;
}

static inline struct position edge(void)
{
	return segments_edge(store_segments(f.store)).first;
}

static inline struct file *open_node(struct node *node)
{
	struct file *file;

	file_pin(&shown, node);
	works(file_open(&file, &shown, node, &f.err), f.err);
	return file;
}

static inline uint64_t stat_len(const struct node *node)
{
	struct stat st;

	works(file_stat(&shown, node, &st, &f.err), f.err);
	return (uint64_t)st.st_size;
}

/* Of what was given up. */
static inline void nothing_is_left(void)
{
	struct segments_range range = segments_range(store_segments(f.store));

	assert_int_equal(range.readable, range.oldest);
}

#endif
