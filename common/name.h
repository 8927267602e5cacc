/*
 * name.h - a table's name <-> its path component.
 *
 *     component = [ part "." ] part           schema, unless it is public; table
 *     part      = every byte of % / . , , control characters and a leading -
 *                 as %XX (two upper-case hex digits), all others as they are
 *
 * The same spelling stands in --tables lists, in the plugin's `tables`
 * option and in `_key`, where parts are joined by commas.
 *
 * One to one: a component that name_join would not write is refused. No
 * malloc, no I/O: this file links into the backend too.
 */
#ifndef COMMON_NAME_H
#define COMMON_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "line.h"

/* Room for one raw name of a server built with NAMEDATALEN up to 256, and a NUL. */
#define NAME_RAW_MAX 256
/* Room for a component, each byte escaped, and a NUL. */
#define NAME_PATH_MAX (2 * 3 * NAME_RAW_MAX)
/* Room for what name_pairs writes. */
#define NAME_PAIRS_MAX (2 * 2 * NAME_RAW_MAX + 32)

/* Writes one part; `out` has room for 3 * len bytes. Returns the length. */
size_t name_encode(char *out, const char *name, size_t len);

/* Reads one part to `out` (room for NAME_RAW_MAX) and ends it with a NUL.
 * Returns the length, or -1 where it is empty, too long or misspelt. */
long name_decode(char *out, const char *part, size_t len);

/* Writes the component of schema.table (raw, NUL-terminated) and a NUL to
 * `out`, which has NAME_PATH_MAX bytes. Returns its length; 0 where the
 * names are longer than NAME_RAW_MAX - 1. */
size_t name_join(char *out, const char *schema, const char *table);

/* The reverse; both outputs have NAME_RAW_MAX bytes. */
bool name_split(const char *component, size_t len, char *schema, char *table);

/* Writes how schema.table begins its lines, "[_schema\tS\t]_table\tT" (line.h: table_pairs), without a NUL, to
 * `out`, which has NAME_PAIRS_MAX bytes. Returns the length; 0 where the names are longer than NAME_RAW_MAX - 1. */
size_t name_pairs(char *out, const char *schema, const char *table);

/* The component of the table whose lines begin so, and a NUL, to `out` (NAME_PATH_MAX bytes). Returns its
 * length; 0 where they name none. */
size_t name_of_pairs(char *out, struct span pairs);

/* Whether `list`, components joined by commas, has component[0..len). */
bool name_listed(const char *list, const char *component, size_t len);

#endif
