/*
 * describe.h - a `schema` line -> the text of /schema/<name>: a line for each column, in their order,
 *
 *     name TAB type TAB key
 *
 * escaped as all else is (line.h). `key` is the column's place in what tells rows apart, from 1, or 0: in the
 * replica identity; under REPLICA IDENTITY FULL in the primary key, where there is one.
 */
#ifndef FS_DESCRIBE_H
#define FS_DESCRIBE_H

#include "definition.h"

/* *text is the caller's to free. -EBADMSG where the line is none, -ENOMEM. */
int describe_line(const char *line, size_t line_len, char **text, size_t *len, struct position *position,
                  struct err *err);

#endif
