/*
 * filter.h - the --tables list: path names (name.h), joined by commas.
 */
#ifndef MIRROR_FILTER_H
#define MIRROR_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "line.h"

/* The list sorted and each name once, to be freed, so that two lists that mean the same
 * are the same. NULL: it is none, or there is no memory; see err. */
char *filter_normalize(const char *list, struct err *err);

/* Whether a normalized list (NULL: every table) has the path name component[0..len). */
bool filter_has(const char *list, const char *component, size_t len);

/* 1: it has the line's table; 0: it has not; -EBADMSG. */
int filter_has_line(const char *list, const struct line_head *head, struct err *err);

#endif
