/*
 * catalog.h - the definitions in force: which `schema` line in the newest segment
 * holds for which table.
 *
 * A definition is in force until its table gets another, or another table takes
 * its name. Only places are kept, not the lines: 32 bytes a table.
 */
#ifndef FS_CATALOG_H
#define FS_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"

struct catalog_entry {
	uint32_t relid;
	uint32_t len;      /* of the line, without '\n' */
	uint64_t name_crc; /* of table_pairs: 64 bits, so that no two names meet in one */
	uint64_t off;      /* in the segment */
};

struct catalog {
	struct catalog_entry *entries; /* in the order in which they came into force */
	size_t count, cap;
};

/* The entry of the table of a `schema` line, NULL where there is none. */
const struct catalog_entry *catalog_find(const struct catalog *catalog, const struct line_head *head);

/* True where the two `schema` lines say the same, whoever and whenever. */
bool catalog_same(const struct line_head *a, const struct line_head *b);

/* Puts a `schema` line that stands at `off` in force. -EBADMSG without `_relid`,
 * -ENOMEM. */
int catalog_put(struct catalog *catalog, const struct line_head *head, uint64_t off, size_t len);

/* Makes `to` a copy of `from`. -ENOMEM. */
int catalog_copy(struct catalog *to, const struct catalog *from);

void catalog_fini(struct catalog *catalog);

#endif
