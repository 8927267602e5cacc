/*
 * fill STORE BYTES DAYS TODAY NAME:WEIGHT...: a new store of about BYTES of lines, spread over the DAYS past days (UTC),
 * and TODAY transactions of this day, by the real writer. Each transaction is 10 inserts into the tables named, by
 * weight at random. The settings lead to no server. Prints the first and the last second.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "origin.h"
#include "ticks.h"
#include "writer.h"

enum { DAY = 86400, LINES = 10, TABLES = 16, SYNC_EVERY = 32 << 20 };

struct table {
	const char *name;
	unsigned weight;
	uint64_t rows;
};

struct fill {
	const char *path;
	uint64_t bytes, done, unsynced;
	uint64_t first, seconds, today; /* today: 1, when the past days are full */
	struct table tables[TABLES];
	unsigned count, weights;
	struct store *store;
	struct writer *writer;
	uint64_t xid, lsn, chance;
	struct err err;
};

static void must(struct fill *fill, int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "fill: %s: %s\n", fill->path, fill->err.text);
	exit(1);
}

static uint64_t chance(struct fill *fill)
{
	fill->chance = fill->chance * 6364136223846793005u + 1442695040888963407u;
	return fill->chance >> 33;
}

static void create(struct fill *fill)
{
	struct config config = {.conninfo = "host=/nonexistent",
	                        .slot = "bench",
	                        .tables = "",
	                        .user = geteuid() == 0 ? "root" : "",
	                        .snapshot = "off",
	                        .segment_bytes = 256 << 20,
	                        .reserve_bytes = CONFIG_RESERVE};
	struct origin origin = {.system = 7123, .timeline = 1, .generation = 1, .database = "bench", .slot = "bench"};

	if (mkdir(fill->path, 0700) < 0)
		ticks_die(fill->path);
	int dirfd = open(fill->path, O_RDONLY | O_DIRECTORY);
	if (dirfd < 0 || mkdirat(dirfd, "segments", 0700) < 0)
		ticks_die(fill->path);
	int segments = openat(dirfd, "segments", O_RDONLY | O_DIRECTORY);
	must(fill, config_write(&config, dirfd, &fill->err));
	must(fill, origin_write(segments, (struct position){0}, fill->first, &origin, fill->xid, 0x1000000,
	                        "2026-01-01 00:00:00+00", &fill->err));
	close(segments);
	close(dirfd);
	must(fill, store_open(&fill->store, fill->path, STORE_WRITE, &fill->err));
	must(fill, writer_open(&fill->writer, fill->store, config.segment_bytes, &fill->err));
	fill->lsn = writer_appended_lsn(fill->writer);
}

static void sync_all(struct fill *fill)
{
	must(fill, writer_flush(fill->writer, &fill->err));
	must(fill, durable_sync(writer_durable(fill->writer), 0, &fill->err));
	fill->unsynced = 0;
}

static void put(struct fill *fill, const char *line, int len)
{
	struct line_head head;

	if (!line_parse(line, (size_t)len, &head))
		ticks_die(line);
	must(fill, writer_line(fill->writer, line, (size_t)len, &head, &fill->err));
	fill->done += (uint64_t)len + 24; /* and the stamp */
	fill->unsynced += (uint64_t)len + 24;
}

static void define(struct fill *fill, const struct table *table)
{
	char line[1024];

	put(fill, line,
	    snprintf(line, sizeof line,
	             "_table\t%s\t_xid\t%llu\t_relid\t%u\t_key\tid\t_action\tschema"
	             "\tid\tnumber\\t1\\ttype\\tbigint\\tnotnull\\t1\\tpk\\t1\ta\tnumber\\t2\\ttype\\tinteger"
	             "\tb\tnumber\\t3\\ttype\\tbigint\tc\tnumber\\t4\\ttype\\ttext"
	             "\td\tnumber\\t5\\ttype\\ttimestamp with time zone\te\tnumber\\t6\\ttype\\tnumeric(12,2)"
	             "\tf\tnumber\\t7\\ttype\\tboolean",
	             table->name, (unsigned long long)fill->xid, 16384 + (unsigned)(table - fill->tables)));
}

static void insert(struct fill *fill)
{
	unsigned at = (unsigned)(chance(fill) % fill->weights);
	struct table *table = fill->tables;
	char line[1024];

	while (at >= table->weight)
		at -= (table++)->weight;
	if (table->rows++ == 0)
		define(fill, table);
	put(fill, line,
	    snprintf(line, sizeof line,
	             "_table\t%s\t_xid\t%llu\t_action\tinsert\tid\t%llu\ta\t%u\tb\t%llu\tc\t%08llx%08llx%08llx"
	             "\td\t2026-01-01 %02u:00:00.%06u+00\te\t%u.%02u\tf\t%u",
	             table->name, (unsigned long long)fill->xid, (unsigned long long)table->rows,
	             (unsigned)chance(fill) % 100000, (unsigned long long)chance(fill),
	             (unsigned long long)chance(fill), (unsigned long long)chance(fill),
	             (unsigned long long)chance(fill), (unsigned)chance(fill) % 24, (unsigned)chance(fill) % 1000000,
	             (unsigned)chance(fill) % 10000, (unsigned)chance(fill) % 100, (unsigned)chance(fill) % 2));
}

static void transaction(struct fill *fill)
{
	char line[160], lsn[LSN_TEXT_MAX];
	struct line_head head;
	double share = (double)fill->done / (double)fill->bytes;
	uint64_t second = fill->first + (uint64_t)((share < 1 ? share : 1) * (double)fill->seconds) + fill->today;
	int r;

	fill->xid++;
	while ((r = writer_begin(fill->writer, second, &fill->err)) == -EAGAIN)
		sync_all(fill);
	must(fill, r);
	for (int i = 0; i < LINES; i++)
		insert(fill);
	fill->lsn += 0x1000;
	int len = snprintf(line, sizeof line, "_xid\t%llu\t_action\tcommit\tlsn\t%s\ttime\t2026-01-01 00:00:00+00",
	                   (unsigned long long)fill->xid, lsn_print(lsn, fill->lsn));
	line_parse(line, (size_t)len, &head);
	must(fill, writer_commit(fill->writer, line, (size_t)len, &head, fill->lsn, &fill->err));
	fill->done += (uint64_t)len + 40;
	if (fill->unsynced > SYNC_EVERY)
		sync_all(fill);
}

int main(int argc, char **argv)
{
	struct fill fill = {.xid = 1000, .chance = 42};
	struct store_end end;

	if (argc < 6 || argc > 5 + TABLES) {
		fprintf(stderr, "usage: fill STORE BYTES DAYS TODAY NAME:WEIGHT...\n");
		return 2;
	}
	fill.path = argv[1];
	fill.bytes = strtoull(argv[2], NULL, 10);
	fill.seconds = strtoull(argv[3], NULL, 10) * DAY - 1;
	fill.first = (uint64_t)time(NULL) / DAY * DAY - fill.seconds - 1;
	for (int i = 5; i < argc; i++) {
		char *colon = strchr(argv[i], ':');
		if (!colon)
			ticks_die(argv[i]);
		*colon = 0;
		fill.tables[fill.count] = (struct table){argv[i], (unsigned)strtoul(colon + 1, NULL, 10), 0};
		fill.weights += fill.tables[fill.count++].weight;
	}
	create(&fill);
	while (fill.done < fill.bytes)
		transaction(&fill);
	fill.today = 1;
	for (unsigned long i = strtoul(argv[4], NULL, 10); i > 0; i--)
		transaction(&fill);
	sync_all(&fill);
	store_end(fill.store, &end);
	printf("%llu %llu\n", (unsigned long long)fill.first, (unsigned long long)end.last.epoch);
	writer_close(fill.writer);
	store_close(fill.store);
	return 0;
}
