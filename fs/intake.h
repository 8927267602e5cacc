/*
 * intake.h - a source's lines -> the writer: checked (incoming.h), and only what is new (resume.h).
 *
 * One thread, the one that has source and writer.
 */
#ifndef FS_INTAKE_H
#define FS_INTAKE_H

#include "incoming.h"
#include "resume.h"
#include "source.h"
#include "writer.h"

struct intake {
	struct source *source; /* borrowed, as the writer is */
	struct writer *writer;
	/* A new segment has to wait until the full one is synced. Called until it is; where it returns an error,
	 * that is intake_lines'. */
	int (*wait)(void *ctx, struct err *err);
	void *ctx;

	/* set by intake_start; to be read */
	struct incoming incoming;
	uint64_t idle_lsn;            /* of the last keepalive between transactions */
	bool resuming;                /* what comes was sent before */
	bool undefined;               /* and told a table of which the writer has no definition */
	uint64_t transactions, lines; /* taken since the program started */
	/* its own */
	struct resume resume;
	bool rows;       /* the open transaction has changed some */
	bool begun;      /* and the writer knows of it */
	uint64_t second; /* its */
	uint64_t open_lines;
	bool noted;
};

/* The source was started behind `resume_lsn`, or before it. */
void intake_start(struct intake *intake, uint64_t resume_lsn);

/* After each start: where other tables are sent than those that are held came from, the stream says so before its next
 * line (docs/FORMAT.md, "Other tables"). `wakefd` and errors: the source's. */
int intake_note(struct intake *intake, int wakefd, struct err *err);

/* Lines as SOURCE_LINES has them. -EPROTO: what cannot be stored, or another history; -EINTR: what is new has to be asked for
 * anew, by a start that skips the rest (`undefined`); else the writer's errors. */
int intake_lines(struct intake *intake, const char *data, size_t len, struct err *err);

/* SOURCE_IDLE. -EPROTO: another history. */
int intake_idle(struct intake *intake, uint64_t lsn, struct err *err);

/* Up to where the source may forget. What comes again proves that it is the same source: until then it forgets
 * no more than it had. */
uint64_t intake_confirmable(const struct intake *intake);

#endif
