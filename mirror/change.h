/*
 * change.h - a row's line -> its table, by way of coalesce.h where that may be; what cannot be placed is passed over
 * and marked, or an error that says the remedy.
 *
 * Errors: as in relation.h; the sentence begins with the line's position and its table.
 */
#ifndef MIRROR_CHANGE_H
#define MIRROR_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "coalesce.h"
#include "database.h"
#include "err.h"
#include "line.h"
#include "registry.h"
#include "survey.h"

/* The first part is its owner's to set. */
struct changes {
	const struct database *database;
	struct registry *registry;
	void (*warn)(const char *text);
	const char *tolerated; /* tables that are brought anew meanwhile */
	bool coalesces;

	bool look;   /* definitions may be others than before */
	bool warned; /* of an action that is not known */
	struct survey survey;
	struct coalesce coalesce;

	/* What the line before came to, where that was kept; else NULL. */
	struct relation *like_table;
	enum relation_change like_change;

	/* Of a `replace` that waits for its update. */
	struct relation *held_table;
	char *held;
	size_t held_len, held_size;
	bool holding;
};

void changes_fini(struct changes *changes);

/* A line that has a _table and is no definition. */
int changes_line(struct changes *changes, const struct line_head *head, struct err *err);

/* An action that is not known is passed over, and said once. */
int changes_unknown(struct changes *changes, struct span action);

/* All that came is in the database: before definitions change, and before the commit. */
int changes_flush(struct changes *changes, struct err *err);

/* Definitions may be others from here on. */
void changes_look(struct changes *changes);

/* Forgets what was not flushed, and what is held: the transaction was rolled back. */
void changes_forget(struct changes *changes);

/* Puts where it happened before the sentence; both names as they stand in the line. */
int changes_where(const struct line_head *head, int code, struct err *err);

#endif
