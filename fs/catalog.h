/*
 * catalog.h - the definitions in force: which `schema` line of a segment holds for which table. A
 * segment opens with all of them, so its lines alone, each put or dropped in turn, tell.
 *
 * A definition is in force until its table gets another or is dropped, or another
 * table takes its name. Only places are kept, not the lines: 32 bytes a table.
 */
#ifndef FS_CATALOG_H
#define FS_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"

struct catalog_entry {
	uint32_t relid;
	uint32_t len;         /* of the line, without '\n' */
	uint32_t crc;         /* of it */
	uint64_t name_crc;    /* of table_pairs: 64 bits, so that no two names meet in one */
	uint64_t off : 63;    /* in the segment */
	uint64_t keyless : 1; /* no replica identity: updates and deletes cannot be placed */
};

struct catalog {
	struct catalog_entry *entries; /* by name_crc */
	size_t count, cap;
	size_t keyless; /* how many of them are */
};

/* The entry of the table of a `schema` line, NULL where there is none. */
const struct catalog_entry *catalog_find(const struct catalog *catalog, const struct line_head *head);

/* The same of the table whose lines begin with `pairs` (line.h: table_pairs); a binary search. */
const struct catalog_entry *catalog_named(const struct catalog *catalog, struct span pairs);

/* Sorts entries into the order in which they came into force. */
void catalog_sort(struct catalog_entry *entries, size_t count);

/* True where the two `schema` lines say the same, whoever and whenever. */
bool catalog_same(const struct line_head *a, const struct line_head *b);

/* Puts a `schema` line that stands at `off` in force. -EBADMSG without `_relid`,
 * -ENOMEM. */
int catalog_put(struct catalog *catalog, const struct line_head *head, uint64_t off, const char *line, size_t len);

/* True where this is still the line that was put in force: it was read back from a file. */
bool catalog_is(const struct catalog_entry *entry, const char *line);

/* Takes the definition of the table of a `drop` line out of force. False where there is none. */
bool catalog_drop(struct catalog *catalog, const struct line_head *head);

/* What a line of a segment, whatever it is, does to the definitions in force. One that no follower could read is in
 * force for nobody. -ENOMEM. */
int catalog_line(struct catalog *catalog, const struct line_head *head, uint64_t off, const char *line, size_t len);

/* True for a change of a row that is there already, of a table in force without a replica
 * identity. Costs nothing where there is no such table. */
bool catalog_unplaced(const struct catalog *catalog, const struct line_head *head);

/* Makes `to` a copy of `from`. -ENOMEM. */
int catalog_copy(struct catalog *to, const struct catalog *from);

void catalog_fini(struct catalog *catalog);

#endif
