/*
 * exchange.h - tables of one mirror take the definition and the rows that another one has, in one
 * transaction. Both stand at the same commit, and neither has a transaction open.
 */
#ifndef MIRROR_EXCHANGE_H
#define MIRROR_EXCHANGE_H

#include "err.h"
#include "mirror.h"

/* `tables`: a normalized list. One that only `mirror` has is dropped there; -ENOENT names one that neither
 * has. After an error `mirror` is as before. */
int exchange_tables(struct mirror *mirror, struct mirror *other, const char *tables, struct err *err);

#endif
