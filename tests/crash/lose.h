/*
 * lose.h - what a loss of power leaves of a disk.
 */
#ifndef CRASH_LOSE_H
#define CRASH_LOSE_H

#include "disk.h"
#include "states.h"

/* Makes the folder `out`, which must not be there. */
void lose(const struct disk *disk, enum states_loss kind, unsigned seed, const char *out);

#endif
