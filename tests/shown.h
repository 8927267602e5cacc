/*
 * shown.h - a store as readers get it, for the unit tests: what the mount has open of it.
 */
#ifndef TESTS_SHOWN_H
#define TESTS_SHOWN_H

#include "file.h"
#include "fixture.h"

static inline struct shown shown_open(struct store *store)
{
	struct shown shown = {.store = store,
	                      .tables = table_set_new(store),
	                      .views = view_set_new(store),
	                      .parts = part_set_new(store_dirfd(store), store_damage(store))};

	must(shown.tables && shown.views && shown.parts);
	return shown;
}

static inline void shown_close(struct shown *shown)
{
	part_set_free(shown->parts);
	view_set_free(shown->views);
	table_set_free(shown->tables);
}

#endif
