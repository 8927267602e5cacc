/*
 * nfs_link.h - connections to an NFS server, and what it answers.
 *
 * libnfs is asked by its asynchronous calls, one at a time, whatever the thread: so each wait has an end, after half a
 * minute or when a signal comes (stop.h). It gets no retries, no cache and no reading ahead: a file that grows is asked
 * about anew each time, and who reads knows what to do when a connection breaks.
 *
 *     link = nfs_link_begin(NULL, ...)         a connection, made where there is none; nobody else asks meanwhile
 *     nfs_link_answer(link, nfs_..._async(link->context, ..., nfs_link_on_..., link))
 *     nfs_link_end(link, rc)
 */
#ifndef MIRROR_NFS_LINK_H
#define MIRROR_NFS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct nfs_context;
struct nfsfh;

/* A connection. It stays for as long as somebody uses it, though it may be broken, or is the current one. */
struct nfs_link {
	struct nfs_context *context;
	unsigned users; /* files and calls */
	bool broken;
	/* The answer that is waited for: */
	bool came;
	int status; /* a count or a negative errno */
	void *made; /* what was opened */
	char *buf;  /* where bytes go, */
	size_t size;
	uint64_t mode;
};

/* Where all connections lead from here on: `url`, with these options (or NULL). */
int nfs_link_use(const char *url, const char *options, struct err *err);
/* Breaks the current one. */
void nfs_link_fini(void);

/* `link`, to go on with what was opened by it, or NULL: any. Returns NULL where it is broken, or there is none to be had;
 * an nfs_link_end has to follow in any case. */
struct nfs_link *nfs_link_begin(struct nfs_link *link, struct err *err);
/* Returns rc; where there was no link, why. */
int nfs_link_end(struct nfs_link *link, int rc);
/* A file that was opened by it, and its use of it. Not between begin and end. */
void nfs_link_close(struct nfs_link *link, struct nfsfh *handle);

/* Waits for the answer to what was asked: a count or a negative errno. */
int nfs_link_answer(struct nfs_link *link, int asked);

/* What becomes of an answer: of any; bytes, to `buf`; attributes, to `mode` and `size`. */
void nfs_link_on_answer(int status, struct nfs_context *context, void *data, void *link);
void nfs_link_on_bytes(int status, struct nfs_context *context, void *data, void *link);
void nfs_link_on_stat(int status, struct nfs_context *context, void *data, void *link);

/* What a server says of a name is passed on; all else is the way there: -ENOTCONN. A handle that is stale is of a server
 * or daemon that ended. */
int nfs_link_meaning(int code);
/* What there is to be said of it beyond its errno; between begin and end. */
void nfs_link_explain(struct nfs_link *link, int code, struct err *reason);

#endif
