/*
 * states.h - the states that a loss of power may leave of a traced folder.
 *
 * At any record of a trace: what was synced is there. Of all that was not, each kind of loss leaves something else.
 * A file's bytes and its name are synced each by itself (fsync(2): the folder, too). What a failed sync was to bring
 * to the disk, only a new write and a sync after it bring there, though processes read it. A folder's sync that failed
 * has done nothing. A truncation is a change of the length: it happens as a whole or not at all, as unlink does. So do all file
 * systems with a journal; SQLite, too, takes it for granted (a WAL that has been copied back is cut off, which leaves no part of it).
 */
#ifndef CRASH_STATES_H
#define CRASH_STATES_H

#include <stddef.h>
#include <stdint.h>

enum states_loss {
	LOSS_ALL,   /* bytes and names only as synced */
	LOSS_NONE,  /* everything is there; as after a kill */
	LOSS_BYTES, /* names are there; bytes that were not synced are cut off, or old */
	LOSS_NAMES, /* bytes are there; names as synced */
	LOSS_ZEROS, /* lengths are there; bytes that were not synced are zeros */
	LOSS_TORN, /* all changes in their order up to one of the last writes, which is cut at a multiple of 512 bytes */
	LOSS_SHREDS,  /* ... at any byte of what it changes */
	LOSS_SECTORS, /* any of the 512-byte sectors that were not synced, and any of the names: as `seed` says */
	LOSSES
};

struct states;

/* `base` is the folder as it was before the trace; NULL: empty. Abort the test where something is wrong. */
struct states *states_open(const char *trace, const char *base);
void states_free(struct states *states);

size_t states_count(const struct states *states);             /* records */
unsigned states_call(const struct states *states, size_t at); /* what the record is: enum trace_call */

/* The first record from `at` on that changes what may be left: all that was promised before it binds a state directly
 * before it, so one between promises alone need not be looked at. The count, where there is none. */
size_t states_next(const struct states *states, size_t at);

/* Makes the folder `out` (which must not be there) as a loss of power directly before record `at` leaves it;
 * at == count: behind the last one. `seed` says which, where a kind of loss has several. Quick, where `at` does not go
 * back from call to call. */
void states_make(struct states *states, size_t at, enum states_loss loss, unsigned seed, const char *out);

/* The largest LSN confirmed before record `at`; the last note before it that is `word` or begins with it and a
 * blank: what stands behind that, until the next call; or NULL. */
uint64_t states_confirmed(const struct states *states, size_t at);
const char *states_note(const struct states *states, size_t at, const char *word);

#endif
