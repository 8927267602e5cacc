/*
 * status.h - the text of /status: "name<TAB>value" lines, the values escaped as in a line.
 */
#ifndef FS_STATUS_H
#define FS_STATUS_H

#include <stdio.h>

#include "config.h"
#include "follower.h"
#include "health.h"
#include "ingest.h"
#include "keeper.h"

/* What only the daemon knows of its store. */
struct standing {
	struct follower_status *read_only; /* NULL; or of a store that somebody else writes, then nothing of: */
	struct ingest_status ingest;
	struct keeper_status keeper;
	struct health_status health;
	struct arrived *arrived; /* NULL where it writes the store; both: */
	size_t files, followers; /* open files of the mount; those of them that somebody follows */
};

/* The text, to be freed, and its length; NULL: out of memory. `standing`: NULL for what the store itself tells. */
char *status_print(size_t *len, struct store *store, const struct config *config, const struct standing *standing);

/* The rows of the slot; `lsn` is how far the store is. */
void status_print_slot(FILE *out, const struct server_slot *slot, uint64_t lsn);

/* Bytes of the disk of the folder: what is free for us, and all. */
void status_disk(int dirfd, uint64_t *free_bytes, uint64_t *bytes);

#endif
