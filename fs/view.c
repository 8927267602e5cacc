#include "view.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <utlist.h>

struct view {
	struct view_set *set;
	struct view_key key;
	pthread_mutex_t lock;    /* all below, but what has its own; never held while bytes are read */
	bool placed;             /* `base` is known: a line at or after the start is there */
	uint64_t base;           /* where it starts in the stream, or in the table */
	bool over;               /* a line at or behind key.until is shown */
	uint64_t end;            /* then: where it ends in the stream, */
	uint64_t last_epoch;     /* and the second of its last line */
	_Atomic uint64_t next;   /* behind what was read last; without the lock */
	pthread_mutex_t reading; /* the cursor */
	struct table_cursor cursor;
	struct view *prev, *following;
};

struct view_set {
	struct store *store;
	pthread_mutex_t lock; /* the list; taken before a view's lock */
	struct view *open;
};

struct view_set *view_set_new(struct store *store)
{
	struct view_set *set = calloc(1, sizeof *set);

	if (set) {
		set->store = store;
		pthread_mutex_init(&set->lock, NULL);
	}
	return set;
}

void view_set_free(struct view_set *set)
{
	if (!set)
		return;
	pthread_mutex_destroy(&set->lock);
	free(set);
}

/* ---- where it starts ---------------------------------------------------- */

static int place_at(struct view *view, const struct place *at, struct err *err)
{
	if (view->key.table)
		return table_offset(view->key.table, at, &view->base, err);
	view->base = at->at;
	return 0;
}

static int place_at_edge(struct view *view, const struct segments_edge *edge, struct err *err)
{
	if (view->key.table)
		return table_start(view->key.table, edge->number, &view->base, err);
	view->base = edge->base;
	return 0;
}

/* Finds the base: 1. As long as no line is at or after the start, the view is empty, however much comes
 * before it: 0. */
static int place(struct view *view, struct err *err)
{
	struct segments_edge edge = segments_edge(store_segments(view->set->store));
	struct position start = view->key.start;
	char text[POSITION_TEXT_MAX];
	struct place at;
	int r;

	if (view->placed)
		return 1;
	if (find_given_up(view->set->store, start)) {
		r = err_set(err, -ESTALE, "what stood at %s was given up", position_print(text, start));
	} else if (position_cmp(start, edge.first) <= 0) {
		r = place_at_edge(view, &edge, err);
	} else {
		if ((r = find_line(view->set->store, start, &at, err)) != 1)
			return r;
		r = place_at(view, &at, err);
	}
	if (r < 0)
		return r;
	view->placed = true;
	return 1;
}

/* ---- where it ends ------------------------------------------------------ */

static bool bounded(const struct view *view)
{
	return view->key.until.epoch > 0 || view->key.until.seq > 0;
}

/* Whether what it ends before is there, and where it ends then. */
static int find_end(struct view *view, struct err *err)
{
	struct store_end end;
	struct place last;

	store_end(view->set->store, &end);
	if (!bounded(view) || view->over || position_cmp(end.last, view->key.until) < 0)
		return 0;
	int r = find_before(view->set->store, view->key.until, &last, err);
	if (r < 0)
		return r;
	/* Nothing before it is retained: then it ends where the retained lines start. */
	view->end = r ? last.at + last.len : segments_edge(store_segments(view->set->store)).base;
	view->last_epoch = r ? last.position.epoch : view->key.start.epoch;
	view->over = true;
	return 0;
}

static bool same(const struct view_key *a, const struct view_key *b)
{
	return a->table == b->table && position_cmp(a->start, b->start) == 0 && position_cmp(a->until, b->until) == 0 &&
	       a->line_len == b->line_len;
}

/* Starts and ends where an open view of the same key does, also where that was given up; under the set's lock. */
static void place_like(struct view *view)
{
	for (struct view *other = view->set->open; other && !view->placed; other = other->following) {
		if (!same(&other->key, &view->key))
			continue;
		pthread_mutex_lock(&other->lock);
		if (other->placed)
			find_end(other, NULL);
		view->placed = other->placed;
		view->base = other->base;
		view->over = other->over;
		view->end = other->end;
		view->last_epoch = other->last_epoch;
		pthread_mutex_unlock(&other->lock);
	}
}

static void free_view(struct view *view)
{
	pthread_mutex_destroy(&view->reading);
	pthread_mutex_destroy(&view->lock);
	free(view);
}

int view_open(struct view **out, struct view_set *set, const struct view_key *key, struct err *err)
{
	struct view *view = calloc(1, sizeof *view);

	*out = NULL;
	if (!view)
		return err_set(err, -ENOMEM, "out of memory");
	view->set = set;
	view->key = *key;
	pthread_mutex_init(&view->lock, NULL);
	pthread_mutex_init(&view->reading, NULL);
	pthread_mutex_lock(&set->lock); /* so that retention sees it, or it sees what retention did */
	int r = place(view, err);
	if (r >= 0)
		DL_APPEND2(set->open, view, prev, following);
	pthread_mutex_unlock(&set->lock);
	if (r < 0) {
		free_view(view);
		return r;
	}
	*out = view;
	return 0;
}

void view_close(struct view *view)
{
	pthread_mutex_lock(&view->set->lock);
	DL_DELETE2(view->set->open, view, prev, following);
	pthread_mutex_unlock(&view->set->lock);
	free_view(view);
}

/* ---- what it holds ------------------------------------------------------ */

static int measure(struct view *view, uint64_t *len, uint64_t *last_epoch, struct err *err)
{
	struct store_end end;
	uint64_t all;
	int r = place(view, err);

	*len = *last_epoch = 0;
	if (r <= 0)
		return r;
	if (view->key.line_len) {
		*len = view->key.line_len;
		*last_epoch = view->key.start.epoch;
		return 0;
	}
	if (view->key.table) {
		r = table_len(view->key.table, &all, last_epoch, err);
	} else {
		all = store_len(view->set->store);
		store_end(view->set->store, &end);
		*last_epoch = end.last.epoch;
		/* Asked for after the length was: a line behind its end that came in between is none of it. */
		r = find_end(view, err);
	}
	if (r == 0 && view->over) {
		all = view->end;
		*last_epoch = view->last_epoch;
	}
	if (r == 0)
		*len = all > view->base ? all - view->base : 0;
	return r;
}

int view_len(struct view *view, uint64_t *len, uint64_t *last_epoch, struct err *err)
{
	pthread_mutex_lock(&view->lock);
	int r = measure(view, len, last_epoch, err);
	pthread_mutex_unlock(&view->lock);
	return r;
}

int view_stat(struct view_set *set, const struct view_key *key, uint64_t *len, uint64_t *last_epoch, struct err *err)
{
	struct view view = {.set = set, .key = *key};

	pthread_mutex_lock(&set->lock);
	place_like(&view);
	pthread_mutex_unlock(&set->lock);
	return measure(&view, len, last_epoch, err);
}

/* Where byte `off` stands in the stream, or in the table: 1, and no more is asked for than the view has. 0: it has no
 * such byte yet. */
static int find_byte(struct view *view, uint64_t off, uint64_t *at, size_t *least, size_t *most, struct err *err)
{
	uint64_t whole, last_epoch;

	pthread_mutex_lock(&view->lock);
	int r = place(view, err);
	*at = view->base + off;
	if (r == 1 && (view->key.line_len || bounded(view))) {
		r = measure(view, &whole, &last_epoch, err);
		if (r == 0 && off < whole) {
			*most = whole - off < *most ? (size_t)(whole - off) : *most;
			*least = *least < *most ? *least : *most;
			r = 1;
		}
	}
	pthread_mutex_unlock(&view->lock);
	return r;
}

/* `cursor`: of a table. */
static long read_at(struct view *view, struct table_cursor *cursor, uint64_t off, char *buf, size_t least, size_t most,
                    struct err *err)
{
	uint64_t at;
	int r = find_byte(view, off, &at, &least, &most, err);

	if (r <= 0)
		return r;
	return view->key.table ? table_some(view->key.table, cursor, at, buf, least, most, err)
	                       : store_some(view->set->store, at, buf, least, most, err);
}

long view_some(struct view *view, uint64_t off, char *buf, size_t least, size_t most, struct err *err)
{
	if (!view->key.table)
		return read_at(view, NULL, off, buf, least, most, err);
	pthread_mutex_lock(&view->reading);
	long n = read_at(view, &view->cursor, off, buf, least, most, err);
	pthread_mutex_unlock(&view->reading);
	return n;
}

long view_beside(struct view *view, uint64_t off, char *buf, size_t len, struct err *err)
{
	return read_at(view, &(struct table_cursor){.valid = false}, off, buf, len, len, err);
}

long view_peek(struct view *view, uint64_t off, char *buf, size_t len, struct err *err)
{
	return view_some(view, off, buf, len, len, err);
}

bool view_recent(struct view *view, struct recent *recent, uint64_t off, size_t len, struct recent_got *got)
{
	if (view->key.table || view->key.line_len || bounded(view))
		return false;
	pthread_mutex_lock(&view->lock);
	bool placed = view->placed;
	uint64_t base = view->base;
	pthread_mutex_unlock(&view->lock);
	return placed && recent_read(recent, base + off, len, got);
}

void view_passed(struct view *view, uint64_t next)
{
	view->next = next;
}

long view_read(struct view *view, uint64_t off, char *buf, size_t len, struct err *err)
{
	long n = view_peek(view, off, buf, len, err);

	if (n >= 0)
		view_passed(view, off + (uint64_t)n);
	return n;
}

/* The segment of the next byte. */
static size_t needed(struct view *view)
{
	struct segments *segments = store_segments(view->set->store);
	struct segments_range range = segments_range(segments);
	size_t segment;

	if (place(view, NULL) <= 0)
		return range.newest;
	/* Its end, too, is told now: of what is given up, nobody finds it any more. */
	find_end(view, NULL);
	if ((view->key.line_len && view->next >= view->key.line_len) ||
	    (view->over && view->base + view->next >= view->end))
		return range.newest;
	uint64_t next = view->base + view->next;
	if (!view->key.table)
		segment = segments_at(segments, next);
	else if (table_segment(view->key.table, next, &segment, NULL) < 0)
		return range.newest;
	return segment < range.readable ? range.newest : segment; /* fallen off already */
}

size_t view_set_needed(struct view_set *set)
{
	size_t oldest = segments_range(store_segments(set->store)).newest;

	pthread_mutex_lock(&set->lock);
	for (struct view *view = set->open; view; view = view->following) {
		pthread_mutex_lock(&view->lock);
		size_t one = needed(view);
		pthread_mutex_unlock(&view->lock);
		if (one < oldest)
			oldest = one;
	}
	pthread_mutex_unlock(&set->lock);
	return oldest;
}
