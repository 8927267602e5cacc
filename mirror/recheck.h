/*
 * recheck.h - looks at suspects again, until lag is told from a difference.
 *
 *     the server's rows ─▶ a mark in the stream ─▶ the mirror has passed it ─▶ the mirror's rows ─▶ the server's again
 *
 * A row whose version (ctid, xmin) was the same both times stood there all the while, so a mirror that is right
 * has it: what it has is decided. Of what was not there, or what somebody is changing now, that cannot be
 * known by one look (it may have come and gone between): several in a row have to say the same. Rows that
 * change all the time are compared while the mirror moves on, until both sides show the same once.
 */
#ifndef MIRROR_RECHECK_H
#define MIRROR_RECHECK_H

#include "err.h"
#include "lag.h"
#include "reading.h"
#include "schema.h"
#include "server.h"
#include "suspect.h"

/* Leaves a verdict at each suspect; SUSPECT_OPEN where even many looks did not tell. Where the mirror stands
 * still, one look decides. Outside both sides' transactions. -ESTALE where the table's definition is no longer
 * `schema` on either side. */
int recheck_run(struct suspects *suspects, struct lag *lag, const struct schema *schema, struct err *err);

#endif
