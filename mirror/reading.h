/*
 * reading.h - a mirror read while another process writes it.
 *
 * The file is opened read-only. Where a new copy has got its name meanwhile, that one is opened the
 * next time (reading_refresh); statements prepared before are gone then.
 */
#ifndef MIRROR_READING_H
#define MIRROR_READING_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "schema.h"

struct reading {
	char *path;
	sqlite3 *sqlite;
	enum numeric numeric; /* of the file that is open */
	dev_t device;
	ino_t inode;
};

/* -EEXIST where it is no mirror; -EIO, -EBUSY, -ENOMEM. reading_close is to be called in any case. */
int reading_open(struct reading *reading, const char *path, struct err *err);
void reading_close(struct reading *reading);

/* Outside a read transaction only. 1: it is another file now; 0: it is not. */
int reading_refresh(struct reading *reading, struct err *err);

/* A read transaction, whose snapshot is taken at once. */
int reading_begin(struct reading *reading, struct err *err);
void reading_end(struct reading *reading);

/* What the row of _daystream says. Strings are to be freed. */
struct reading_state {
	uint64_t lsn; /* where the last applied transaction ended; 0: that is not known */
	char *system, *database;
	char *tables; /* the --tables list, or the one table whose file it follows; NULL: all */
	enum numeric numeric;
};
int reading_state(struct reading *reading, struct reading_state *state, struct err *err);
void reading_state_fini(struct reading_state *state);

/* Only the position: reading_state.lsn. */
int reading_lsn(struct reading *reading, uint64_t *lsn, struct err *err);

/* The table of that OID as _daystream_tables has it. 1: `schema` is filled (schema_fini); 0: there is none. */
int reading_table(struct reading *reading, uint32_t relid, struct schema *schema, struct err *err);

#endif
