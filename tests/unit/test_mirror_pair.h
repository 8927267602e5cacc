/*
 * test_mirror_pair.h - for the tests of what waits within a batch: two mirrors of one stream, which have to be the same.
 */
#ifndef TEST_MIRROR_PAIR_H
#define TEST_MIRROR_PAIR_H

#include "content.h"
#include "test_mirror_table.h"

/* Two mirrors of one stream: one takes line by line what the other keeps until the batch ends. */
struct pair {
	struct world *each, *last;
};

static inline int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof *pair);
	void *one, *other;

	if (world_setup(&one) < 0 || world_setup(&other) < 0)
		return -1;
	*pair = (struct pair){one, other};
	apply_coalesce(pair->last->apply, true);
	*state = pair;
	return 0;
}

static inline int teardown(void **state)
{
	struct pair *pair = *state;
	void *one = pair->each, *other = pair->last;

	world_teardown(&one);
	world_teardown(&other);
	free(pair);
	return 0;
}

static inline void both_run(struct pair *pair, const char *sql)
{
	run(pair->each, sql);
	run(pair->last, sql);
}

static inline void both_line(struct pair *pair, const char *body)
{
	line(pair->each, body);
	line(pair->last, body);
}

static inline void both_define(struct pair *pair, const char *table, unsigned relid, const char *key,
                               const char *columns)
{
	define(pair->each, table, relid, key, columns);
	define(pair->last, table, relid, key, columns);
}

static inline int end_batch(struct world *w)
{
	int rc = world_feed(w);

	if (rc == 0)
		rc = apply_commit(w->apply, &w->err);
	if (rc < 0) {
		struct err err;
		w->fed = w->stream.len;
		assert_int_equal(apply_rollback(w->apply, &err), 0);
	}
	return rc;
}

/* Ends the transaction and the batch, and compares; whether it was right. */
static inline bool both_commit(struct pair *pair)
{
	stream_commit(&pair->each->stream);
	stream_commit(&pair->last->stream);
	int one = end_batch(pair->each), other = end_batch(pair->last);
	if ((one < 0) != (other < 0))
		fail_msg("one by one: %d %s; at once: %d %s", one, pair->each->err.text, other, pair->last->err.text);
	uint64_t content = content_all(pair->each->database.sqlite);
	assert_int_not_equal(content, 0);
	if (content != content_all(pair->last->database.sqlite))
		fail_msg("at %u the rows differ", pair->last->stream.xid);
	assert_int_equal(position_cmp(pair->each->database.position, pair->last->database.position), 0);
	return one == 0;
}

/* All rows that there are, are here: none. */
static inline void both_know_all(struct pair *pair)
{
	struct origin origin = {
	    .system = 7123, .timeline = 1, .generation = 1, .database = "bank", .slot = "daystream"};
	struct world *worlds[] = {pair->each, pair->last};

	for (int i = 0; i < 2; i++)
		if (apply_refill(worlds[i]->apply, &origin, &worlds[i]->err) < 0 ||
		    apply_refilled(worlds[i]->apply, &worlds[i]->err) < 0)
			fail_msg("%s", worlds[i]->err.text);
}

static inline void both_start(struct pair *pair)
{
	start(pair->each);
	start(pair->last);
}

static inline void both_change(struct pair *pair, const char *table, const char *action)
{
	change(pair->each, table, action);
	change(pair->last, table, action);
}

/* ---- by chance */

static unsigned chance; /* the same in each run */

static inline unsigned pick(unsigned below)
{
	chance = chance * 1103515245u + 12345u;
	return (chance >> 16) % below;
}

#endif
