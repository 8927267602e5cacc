#include "overlap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "regular.h"
#include "tail.h"

enum { BUFFER_LEN = 256 << 10 };

struct overlap {
	struct tail *tail;
	const struct visible *visible;
	struct lacking *lacking;
	int out_fd;
	char buf[BUFFER_LEN]; /* not written yet: `len` bytes */
	size_t len;
	uint64_t written;
	uint32_t crc; /* of all that was written */
	struct chunks chunks;
	uint32_t sum; /* of all since the last commit line, written or not */
	bool wanted;  /* the transaction that is being taken */
	bool open;    /* there is one */
};

/* ---- writing ------------------------------------------------------------- */

static int write_all(struct overlap *overlap, const char *bytes, size_t len, struct err *err)
{
	overlap->crc = crc32c(overlap->crc, bytes, len);
	if (chunks_add(&overlap->chunks, bytes, len) < 0)
		return err_set(err, -ENOMEM, "out of memory for the sums of overlap");
	if (regular_write(overlap->out_fd, bytes, len) < 0)
		return err_errno(err, "writing the snapshot's file overlap");
	overlap->written += len;
	return 0;
}

static int flush(struct overlap *overlap, struct err *err)
{
	int r = write_all(overlap, overlap->buf, overlap->len, err);

	overlap->len = 0;
	return r;
}

static int put(struct overlap *overlap, const char *bytes, size_t len, struct err *err)
{
	int r;

	overlap->sum = crc32c(overlap->sum, bytes, len);
	if (len > BUFFER_LEN - overlap->len && (r = flush(overlap, err)) < 0)
		return r;
	if (len > BUFFER_LEN)
		return write_all(overlap, bytes, len, err);
	memcpy(overlap->buf + overlap->len, bytes, len);
	overlap->len += len;
	return 0;
}

/* A line; the crc of a commit is that of what stands here. */
static int put_line(struct overlap *overlap, const struct tail_line *line, struct err *err)
{
	char crc[] = "crc\t01234567";
	int r;

	if (!line->commit.has_crc) {
		r = put(overlap, line->at, line->len, err);
		return r < 0 ? r : put(overlap, "\n", 1, err);
	}
	if ((r = put(overlap, line->at, (size_t)(line->commit.crc_at - line->at), err)) < 0)
		return r;
	crc_print(crc + strlen("crc\t"), overlap->sum);
	if ((r = put(overlap, crc, sizeof crc - 1, err)) < 0 || (r = put(overlap, "\n", 1, err)) < 0)
		return r;
	overlap->sum = 0;
	return 0;
}

/* ---- taking -------------------------------------------------------------- */

/* 1: it was the marker's commit. */
static int take(struct overlap *overlap, const struct tail_line *line, uint64_t marker_xid, struct err *err)
{
	int r;

	if (!line->xid) /* what opens a segment */
		return 0;
	if (!overlap->open)
		overlap->wanted = line->xid == marker_xid || !visible_has(overlap->visible, line->xid);
	overlap->open = !line->commit.has_crc;
	if ((r = lacking_line(overlap->lacking, overlap->wanted, &line->head, err)) < 0 ||
	    (overlap->wanted && (r = put_line(overlap, line, err)) < 0))
		return r;
	return line->commit.has_crc && line->xid == marker_xid;
}

int overlap_step(struct overlap *overlap, uint64_t marker_xid, struct overlap_end *end, struct err *err)
{
	struct tail_line line;
	int r, marked = 0;

	if ((r = tail_look(overlap->tail, err)) < 0)
		return r;
	while (marked == 0 && (r = tail_next(overlap->tail, &line, err)) == 1)
		if ((marked = take(overlap, &line, marker_xid, err)) < 0)
			return marked;
	if (r < 0 || (r = flush(overlap, err)) < 0)
		return r;
	if (marked)
		*end = (struct overlap_end){{line.head.position.epoch, line.head.position.seq + 1},
		                            line.commit.lsn,
		                            *tail_origin(overlap->tail),
		                            overlap->written,
		                            overlap->crc,
		                            &overlap->chunks};
	return marked;
}

int overlap_open(struct overlap **out, int store_dirfd, uint64_t generation, const struct visible *visible,
                 struct lacking *lacking, int out_fd, struct err *err)
{
	struct overlap *overlap = calloc(1, sizeof *overlap);
	int r;

	*out = NULL;
	if (!overlap)
		return err_set(err, -ENOMEM, "out of memory");
	overlap->visible = visible;
	overlap->lacking = lacking;
	overlap->out_fd = out_fd;
	if ((r = tail_open(&overlap->tail, store_dirfd, generation, visible->xmin, err)) < 0) {
		free(overlap);
		return r;
	}
	*out = overlap;
	return 0;
}

void overlap_close(struct overlap *overlap)
{
	if (!overlap)
		return;
	tail_close(overlap->tail);
	chunks_fini(&overlap->chunks);
	free(overlap);
}
