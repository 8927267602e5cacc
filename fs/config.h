/*
 * config.h - STORE/daystream.conf: settings, written by `daystream init`,
 * edited by people. libConfuse's syntax: name = value, # comments.
 */
#ifndef FS_CONFIG_H
#define FS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

enum { CONFIG_RESERVE = 16 << 20 };

struct config {
	char *conninfo; /* libpq's; may hold a password, never to be printed */
	char *slot;
	char *tables;           /* path names (name.h) joined by commas; "" for all */
	char *user;             /* who works on the store where root starts daystreamfs (privileges.h); "" unset */
	char *snapshot;         /* "auto": the daemon takes them by itself; or "off" */
	uint64_t segment_bytes; /* a segment is closed behind the first commit past it */
	uint64_t keep_days;     /* older segments are removed; 0: no limit */
	uint64_t keep_bytes;    /* the oldest segments beyond it are removed; 0: no limit */
	uint64_t reserve_bytes; /* of the disk are set aside (reserve.h) */
};

/* Reads STORE/daystream.conf below `dirfd`, which has to name a conninfo. -ENOENT, or -EINVAL with line and
 * reason in `err`. Free with config_fini, also after an error. */
int config_read(struct config *config, int dirfd, struct err *err);

/* Writes it anew, readable by its owner only: synced, then renamed. */
int config_write(const struct config *config, int dirfd, struct err *err);

void config_fini(struct config *config);

/* What is no store may be the mount of one: what to say then. */
#define CONFIG_IS_MOUNT "it is what daystreamfs mounted: give the store"
bool config_is_mount(int dirfd);

/* After an errno of opening the store's folder: what to say. Returns -errno. */
int config_no_folder(const char *path, struct err *err);

#endif
