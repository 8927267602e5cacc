/*
 * incoming.h - what a source sends, line by line: `begin`, changes, `commit`, and so on. Nothing else is taken:
 * what has been stored is shown for ever, so a line that no reader could understand is refused here.
 *
 * Pure: it knows neither source nor store.
 */
#ifndef FS_INCOMING_H
#define FS_INCOMING_H

#include "err.h"
#include "line.h"
#include "name.h"

enum incoming_kind { INCOMING_BEGIN, INCOMING_CHANGE, INCOMING_COMMIT };

struct incoming_line {
	enum incoming_kind kind;
	size_t len;            /* without its '\n' */
	struct line_head head; /* borrows the line; of a change; else maybe the xid alone */
	uint64_t second;       /* INCOMING_BEGIN: when it committed, Unix time */
	uint64_t lsn;          /* INCOMING_COMMIT: the end of its commit record */
};

enum {
	INCOMING_BEGUN_MAX = 512,
	INCOMING_TIME_LEN = 20, /* "2017-10-09 00:00:00." */
	INCOMING_TIME_MAX = 64,
};

struct incoming {
	uint64_t lsn; /* of the last commit, which the next one's is above */
	bool open;    /* within a transaction */
	char xid[24]; /* the value of its `_xid`, as on each of its lines */
	size_t xid_len;
	/* The time of the last `begin`, which its `commit` has as well; and the second that it told, mostly the next one's, too.
	 * 0: none. */
	char time[INCOMING_TIME_MAX];
	size_t time_len;
	uint64_t second;
	char table[2 * NAME_PATH_MAX]; /* the pairs that named a table last, known to be good */
	size_t table_len;
	/* How the last row began, up to its own pairs, with the `_xid` of this transaction: mostly the next one begins so, too. */
	char begun[INCOMING_BEGUN_MAX];
	size_t begun_len;               /* 0: there was none */
	size_t begun_xid, begun_action; /* where these values stand */
	bool first;                     /* that row was of another transaction */
};

/* A connection begins behind the commit that ends at `lsn`. */
void incoming_start(struct incoming *incoming, uint64_t lsn);

/* The first line of text[0..len), in which '\n' stands between lines: how many bytes it has, where it is a row that begins as the
 * row before it, so that only its own pairs are looked at. 0: it is not, or cannot be read; incoming_take tells.
 * `head`: where it is the first row of its transaction, its table, xid and action; else without an action. */
size_t incoming_like(struct incoming *incoming, const char *text, size_t len, struct line_head *head);

/* The first line of text[0..len). -EPROTO: it cannot stand there, or is none. */
int incoming_take(struct incoming *incoming, const char *text, size_t len, struct incoming_line *taken,
                  struct err *err);

#endif
