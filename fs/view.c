#include "view.h"

void view_init(struct view *view, struct store *store, struct table *table, struct position start)
{
	*view = (struct view){.store = store, .table = table, .start = start};
}

/* Finds the base. As long as no line is at or after the start, the view is
 * empty, however much comes before it: 0. */
static int place(struct view *view, struct err *err)
{
	struct place at;
	int r;

	if (view->placed)
		return 1;
	if (position_cmp(view->start, store_segment(view->store, 0)->first) <= 0) {
		view->placed = true; /* all of it */
		return 1;
	}
	if ((r = find_line(view->store, view->start, &at, err)) != 1)
		return r;
	if (view->table)
		r = table_offset(view->table, &at, &view->base, err);
	else
		view->base = find_offset(view->store, &at);
	if (r < 0)
		return r;
	view->placed = true;
	return 1;
}

int view_stat(struct view *view, uint64_t *len, uint64_t *last_epoch, struct err *err)
{
	struct store_end end;
	uint64_t all;
	int r = place(view, err);

	*len = *last_epoch = 0;
	if (r <= 0)
		return r;
	if (view->table) {
		r = table_len(view->table, &all, last_epoch, err);
	} else {
		all = store_len(view->store);
		store_end(view->store, &end);
		*last_epoch = end.last.epoch;
		r = 0;
	}
	if (r == 0)
		*len = all - view->base;
	return r;
}

long view_read(struct view *view, uint64_t off, char *buf, size_t len, struct err *err)
{
	int r = place(view, err);

	if (r <= 0)
		return r;
	if (view->table)
		return table_read(view->table, &view->cursor, view->base + off, buf, len, err);
	return store_read(view->store, view->base + off, buf, len, err);
}
