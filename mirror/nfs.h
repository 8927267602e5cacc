/*
 * nfs.h - a mount that is read over NFS, without being mounted here: nfs://HOST/PATH[?OPTIONS], by libnfs.
 *
 * Its files are input.h's, by their path behind the URL: nfs://HOST/PATH/live. OPTIONS are libnfs' own: version=3|4,
 * nfsport= and mountport= (for a server without a portmapper), uid=, gid=.
 *
 * A connection is made when one is needed. Files that were open when it broke stay broken: -ENOTCONN, as in a mount that
 * died; what is opened next connects anew. Whatever waits for the server ends after half a minute, or when a signal
 * comes (stop.h).
 */
#ifndef MIRROR_NFS_H
#define MIRROR_NFS_H

#include <stdbool.h>

#include "err.h"

bool nfs_is_url(const char *place);

/* Takes the options off the URL, and slashes off its end: what is left names the place. */
char *nfs_cut_options(char *url);

/* From now on `url`, and what is below it, is reached with these options (or NULL). Once. -EINVAL. */
int nfs_use(const char *url, const char *options, struct err *err);

/* Breaks the connection, where there is one. */
void nfs_end(void);

#endif
