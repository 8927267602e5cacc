/*
 * keeper.h - takes snapshots by itself, so that a new follower can always join: the first one of each
 * generation as soon as the stream flows, and another when retention is about to give up where the newest
 * one begins.
 *
 * A thread of its own. What failed is tried again, after pauses from 1 s to 5 min; meanwhile retention goes
 * on (keeper_has_failed), so that the disk stays bounded.
 */
#ifndef FS_KEEPER_H
#define FS_KEEPER_H

#include <stdbool.h>

#include "config.h"
#include "ingest.h"

struct keeper;

struct keeper_status {
	const char *state; /* "idle", "taking", "failed"; "off" */
	char error[1024];  /* of the last that failed; "" after one that did not */
};

/* Starts the thread, which takes none where `config` says so. All is borrowed until keeper_stop. */
int keeper_start(struct keeper **keeper, struct store *store, const struct config *config, struct ingest *ingest,
                 struct err *err);

/* Gives up what is under way. NULL is fine, here and below. */
void keeper_stop(struct keeper *keeper);

/* Any thread: one that is newer than `outdated` is needed. Asked again and again, it is taken once. */
void keeper_ask(struct keeper *keeper, struct position outdated);

/* Any thread: whether nobody is to wait for a newer one. */
bool keeper_has_failed(struct keeper *keeper);
void keeper_status(struct keeper *keeper, struct keeper_status *status);

#endif
