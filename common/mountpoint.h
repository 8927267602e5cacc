/*
 * mountpoint.h - what a mount tells beside its stream: its state, and where it begins.
 */
#ifndef COMMON_MOUNTPOINT_H
#define COMMON_MOUNTPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "line.h"
#include "record.h"

/* The value that MOUNT/status has for a name, escaped as on a line, to be freed; NULL where that cannot be
 * read or has none. */
char *mountpoint_status(const char *mount, const char *name);

/* Adds to a sentence on what cannot be read what MOUNT/status tells of damage: then true. */
bool mountpoint_blame_damage(const char *mount, struct err *err);

/* The generation that MOUNT/status names; 0 where that cannot be read. */
uint64_t mountpoint_generation(const char *mount);

/* The origin line that /live begins with. */
int mountpoint_origin(const char *mount, struct origin *origin, struct err *err);

/* The head of a file's first line, which points into `text`. 1; 0: no whole line there; a negative errno. */
int mountpoint_first_line(const char *path, char *text, size_t size, struct line_head *head);

#endif
