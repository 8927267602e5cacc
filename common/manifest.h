/*
 * manifest.h - what a snapshot consists of: STORE/snapshots/<epoch>.<seq>/manifest, and the same under
 * /snapshots. Written last, so that a folder that has one is a whole snapshot.
 *
 *     snapshot	1507507200.12	lsn	16/B374D848	visible	745:748:745	tables	\N	system	7123	timeline	1
 *         database	app	slot	daystream	generation	1                            (one line)
 *     existing	16384 16390                                                      (where tables are left out)
 *     table	zzz	rows	2	bytes	214	crc	f1d2de6a                         (one for each, by name)
 *     overlap	812	crc	5b5ebb68
 *     sums	112	crc	07d5a6c1
 *     end	1	crc	0c9f3a77
 *
 * Pairs, escaped as on a line of the stream (line.h).
 *
 *   snapshot  its position: directly behind the commit line of its marker transaction, so that
 *             /since/<epoch>/<seq>/live goes on where `overlap` ends
 *   lsn       where the marker's commit record ends
 *   visible   what the copy saw (visible.h)
 *   tables    path names joined by commas, where the copy was narrowed to these; \N: all that the stream has
 *   existing  the OIDs of all tables that there were, copied or not: one that gets another name later may come into the
 *             stream, and its rows are not here. No such line: all that the stream may have are here, or it is not known
 *   table     a path name (name.h; nothing else is read): a file tables/<name>: `bytes` long, with one `schema` line and `rows` insert lines; `crc` is
 *             the CRC-32C of the whole file
 *   overlap   the bytes of that file, and their CRC-32C
 *   sums      those of the file that has the sums of all these in pieces, where there is one
 *   end       the count of tables, and the CRC-32C of all bytes of the manifest before this line
 *
 * Unknown pairs at a line's end, and lines that begin with an unknown name, are passed over.
 */
#ifndef COMMON_MANIFEST_H
#define COMMON_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "position.h"
#include "record.h"

struct manifest_table {
	char *name; /* path name (name.h) */
	uint64_t rows, bytes;
	uint32_t crc;
};

struct manifest {
	struct position position;
	uint64_t lsn;
	char *visible;
	char *tables;   /* NULL: all */
	char *existing; /* joined by blanks; NULL: there is no such line */
	struct origin origin;
	struct manifest_table *list;
	size_t count;
	uint64_t overlap_bytes;
	uint32_t overlap_crc;
	uint64_t sums_bytes; /* 0: there is no such file */
	uint32_t sums_crc;
};

/* Owns its memory; free it with manifest_fini, also after an error. -EBADMSG, -ENOMEM. */
int manifest_parse(struct manifest *manifest, const char *text, size_t len, struct err *err);
void manifest_fini(struct manifest *manifest);

/* The text, to be freed. -ENOMEM. */
int manifest_print(const struct manifest *manifest, char **text, size_t *len, struct err *err);

#endif
