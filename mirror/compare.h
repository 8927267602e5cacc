/*
 * compare.h - one pass over a table's two sides, merged: where they differ is written down as suspect.
 */
#ifndef MIRROR_COMPARE_H
#define MIRROR_COMPARE_H

#include <stdint.h>

#include "err.h"
#include "progress.h"
#include "sides.h"
#include "suspect.h"

/* Inside both sides' transactions; `from` as in struct server_table. *rows is how many the server has. */
int compare_run(struct sides *sides, const char *from, struct suspects *suspects, struct progress *progress,
                uint64_t *rows, struct err *err);

#endif
