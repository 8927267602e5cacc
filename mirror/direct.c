#include "direct.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "copy.h"
#include "feed.h"
#include "load.h"
#include "mountpoint.h"
#include "registry.h"
#include "stop.h"

/* A table's rows, received by a thread. */
struct table_copy {
	struct copy_worker *worker;
	size_t table;
	struct feed *feed;
};

static int give_lines(void *ctx, const char *lines, size_t len, uint64_t rows, struct err *err)
{
	struct table_copy *table = ctx;
	const char *end = lines + len;
	int rc = 0;

	(void)rows;
	while (rc == 0 && lines < end) {
		const char *newline = memchr(lines, '\n', (size_t)(end - lines));
		if (!newline)
			return err_set(err, -EBADMSG, "the server's copy ends within a line");
		rc = feed_line(table->feed, lines, (size_t)(newline - lines), err);
		lines = newline + 1;
	}
	return rc == 0 && stop_asked() ? -EINTR : rc;
}

static int receive_table(void *ctx, struct feed *feed, struct err *err)
{
	struct table_copy *table = ctx;

	table->feed = feed;
	return copy_rows(table->worker, table->table, give_lines, table, err);
}

static int load_tables(struct load *load, struct copy *copy, const struct feed_end *end, struct err *err)
{
	struct copy_worker *worker = NULL;
	size_t count;
	uint64_t bytes = 0;
	const struct published_table *tables = copy_tables(copy, &count);
	size_t *order = published_order(tables, count);

	for (size_t i = 0; i < count; i++)
		bytes += tables[i].bytes;
	progress_expect(load->progress, bytes);
	int rc = order ? copy_worker_open(&worker, copy, err) : err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; rc == 0 && i < count; i++) {
		const struct published_table *next = &tables[order[i]];
		struct table_copy table = {worker, order[i], NULL};
		progress_at(load->progress, next->name);
		rc = load_text(load, next->schema, strlen(next->schema), err);
		if (rc == 0)
			rc = feed_run(receive_table, &table, load_line, load, end, err);
		load_tell(load);
	}
	copy_worker_close(worker);
	free(order);
	return rc;
}

/* Asked before the copy begins: were a generation to begin behind it, its stream might lack what the copy does. */
static int stream_origin(const char *mount, struct origin *origin, struct err *err)
{
	int rc = mountpoint_origin(mount, origin, err);
	uint64_t generation = mountpoint_generation(mount);

	/* The oldest segment may be of one that is over. */
	if (rc == 0 && generation)
		origin->generation = generation;
	return rc;
}

static int check_origin(const char *mount, const struct origin *stream, const struct origin *server, struct err *err)
{
	if (stream->system == server->system && strcmp(stream->database, server->database) == 0)
		return 0;
	return err_set(err, -EINVAL,
	               "%s shows database %s of system %" PRIu64 ", and --from leads to database %s of system %" PRIu64
	               ": name the server that the stream comes from",
	               mount, stream->database, stream->system, server->database, server->system);
}

/* Should one of the others get a name that is wanted, it is known that its rows are missing. */
static int load_strangers(struct load *load, struct copy *copy, struct err *err)
{
	char *relids = NULL;
	int rc = copy_existing(copy, &relids, err);

	if (rc == 0)
		rc = registry_expect(apply_registry(load->apply), relids, err);
	free(relids);
	return rc;
}

/* Where the stream begins to have what the copy lacks, up to the marker. */
static int load_stream(struct load *load, struct copy *copy, const char *mount, struct err *err)
{
	const struct follow_source source = {.mount = mount};
	struct follow *follow = NULL;

	load->visible = copy_visible(copy);
	load->lacking = copy_lacking(copy);
	progress_at(load->progress, "the stream since then");
	int rc = copy_mark(copy, "deltamirror", &load->marker_xid, &load->marker_lsn, err);
	if (rc == 0)
		rc = follow_open_second(&follow, &source, copy_since(copy), err);
	if (rc == 0)
		rc = load_rest(load, follow, true, err);
	follow_close(follow);
	return rc;
}

static int load_all(struct apply *apply, struct copy *copy, const struct origin *origin, const char *mount,
                    const char *tables, const struct feed_end *end, struct err *err)
{
	struct load load = {.apply = apply, .generation = origin->generation};

	load.progress = progress_open("copying", 0);
	int rc = apply_refill(apply, origin, err);
	if (rc == 0)
		rc = load_tables(&load, copy, end, err);
	if (rc == 0)
		rc = apply_refilled(apply, err);
	if (rc == 0 && tables)
		rc = load_strangers(&load, copy, err);
	if (rc == 0)
		rc = load_stream(&load, copy, mount, err);
	load_tell(&load);
	progress_close(load.progress, rc == 0);
	return rc;
}

int direct_load(struct apply *apply, const char *mount, const char *conninfo, const char *tables,
                void (*warn)(const char *sentence), struct err *err)
{
	struct feed_end end;
	struct copy *copy = NULL;
	struct origin origin;

	int rc = feed_end_open(&end, err);
	if (rc < 0)
		return rc;
	rc = stream_origin(mount, &origin, err);
	if (rc == 0)
		rc = copy_open(&copy, conninfo, tables, false, warn, end.fd, err);
	if (rc == 0)
		rc = check_origin(mount, &origin, copy_origin(copy), err);
	if (rc == 0)
		rc = load_all(apply, copy, &origin, mount, tables, &end, err);
	copy_close(copy);
	feed_end_close(&end);
	return rc;
}
