/*
 * growth.h - a store that somebody else writes, or copies here: what has come is found, and shown.
 *
 * Shown is what a mark of STORE/confirmed covers and the files bear out (proof.h), each new byte of which was
 * verified: grammar, order, the commits' sums. (Of what is sealed when the first look begins, reads compare each
 * byte with the index, as the daemon's do.) So a transaction is shown whole or not at all, nothing is shown that a crash
 * of the writer could take back, and no segment is left out.
 *
 * Nothing is written or locked. Files may be replaced by others with the same bytes (rsync); what the writer's
 * retention, or the copier, has removed is given up here, too.
 *
 * What is shown stays: a copy that contradicts it ends the watching.
 */
#ifndef FS_GROWTH_H
#define FS_GROWTH_H

#include "proof.h"
#include "retain.h"

struct growth {
	struct retain shown; /* what retain_give_up needs */
	struct proof proof;
	struct segment_end end; /* of the newest segment, as far as it is shown */
	bool started;
};

/* The store is opened with STORE_FOLLOW; all is borrowed. */
void growth_init(struct growth *growth, const struct retain *shown);

/* Shows what has come. 1: more; 0: there was nothing; -EAGAIN: what is there cannot be shown yet, `err` says why;
 * -EPROTO: it contradicts what was shown; -ESTALE: what has to come next was given up before it came here. Another
 * -errno: it cannot be read at this time; but -ENOMEM is final, too. */
int growth_look(struct growth *growth, struct err *err);

/* Gives up what has been removed, or has to be expected to be: the writer counts it no longer. After growth_look has shown something; as it. */
int growth_removed(struct growth *growth, struct err *err);

#endif
