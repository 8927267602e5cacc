#include "dir.h"

#include <errno.h>
#include <inttypes.h>
#include <isa-l/crc64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "names.h"
#include "snapshots.h"

/* A table's or snapshot's name. It has the same cookie whatever came or went beside it: NFS goes on in another handle. */
struct listed {
	char *name;
	uint64_t hash; /* the cookie */
};

struct dir {
	const struct shown *shown;
	struct node node;
	struct listed *names; /* by their hash */
	size_t name_count, name_cap;
	bool asked_names;
	/* Lines of a second, and short seconds, come one after the other: where the scan stands. */
	bool scanning;
	struct scan scan;
	size_t scan_segment; /* its number */
	uint64_t scan_cookie;
	uint64_t found_at;    /* where the second that was looked up last starts in the stream */
	uint64_t asked, told; /* the cookie of the second that was listed last, and that second; 0: none */
};

enum { HASH_SHIFT = 4 };  /* a cookie is an offset, which has 63 bits */
enum { NEAR = 64 << 10 }; /* bytes that are sooner read than looked up */

static int add_name(const char *name, void *ctx)
{
	struct dir *dir = ctx;

	if (dir->name_count == dir->name_cap) {
		size_t cap = dir->name_cap ? dir->name_cap * 2 : 32;
		struct listed *more = realloc(dir->names, cap * sizeof *more);
		if (!more)
			return -ENOMEM;
		dir->names = more;
		dir->name_cap = cap;
	}
	struct listed *one = &dir->names[dir->name_count];
	if (!(one->name = strdup(name)))
		return -ENOMEM;
	one->hash = crc64_ecma_refl(0, (const unsigned char *)name, strlen(name)) >> HASH_SHIFT;
	dir->name_count++;
	return 0;
}

static int by_hash(const void *a, const void *b)
{
	const struct listed *one = a, *other = b;

	return one->hash != other->hash ? (one->hash < other->hash ? -1 : 1) : strcmp(one->name, other->name);
}

static int name_snapshots(struct dir *dir, struct err *err)
{
	char text[POSITION_TEXT_MAX];
	struct position *list;
	size_t count;
	int r = arrived_list(dir->shown->arrived, dir->shown->store, &list, &count, err);

	for (size_t i = 0; i < count && r == 0; i++)
		r = add_name(position_print(text, list[i]), dir);
	free(list);
	if (r < 0)
		return r;
	r = file_link(dir->shown, text, err);
	return r == 0 ? add_name("latest", dir) : r == -ENOENT ? 0 : r;
}

static void forget_names(struct dir *dir)
{
	for (size_t i = 0; i < dir->name_count; i++)
		free(dir->names[i].name);
	dir->name_count = 0;
}

/* Of those folders that are listed from memory. */
static int gather_names(struct dir *dir, struct err *err)
{
	int r;

	switch (dir->node.kind) {
	case NODE_TABLES:
	case NODE_SINCE_TABLES: return names_list(dir->shown->store, add_name, dir, err);
	case NODE_SCHEMA: return defined_list(store_defined(dir->shown->store), add_name, dir, err);
	case NODE_SNAPSHOTS: return name_snapshots(dir, err);
	case NODE_COPIES:
		r = snapshots_tables(store_dirfd(dir->shown->store), dir->node.position, add_name, dir, err);
		file_note_manifest(dir->shown, dir->node.position, r, err);
		return r;
	default: return 0;
	}
}

static int take_names(struct dir *dir, struct err *err)
{
	forget_names(dir);
	int r = gather_names(dir, err);
	if (dir->name_count)
		qsort(dir->names, dir->name_count, sizeof *dir->names, by_hash);
	return r;
}

/* Whoever begins again is told what is there by now. */
static int next_name(struct dir *dir, uint64_t cookie, struct dir_entry *entry, struct err *err)
{
	int r = cookie == 0 && dir->asked_names ? take_names(dir, err) : 0;

	size_t low = 0, high = dir->name_count;
	dir->asked_names = true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (dir->names[middle].hash < cookie)
			low = middle + 1;
		else
			high = middle;
	}
	if (r < 0 || low == dir->name_count)
		return r;
	snprintf(entry->name, sizeof entry->name, "%s", dir->names[low].name);
	entry->cookie = dir->names[low].hash + 1;
	return 1;
}

int dir_open(struct dir **out, const struct shown *shown, const struct node *node, struct err *err)
{
	struct dir *dir = calloc(1, sizeof *dir);

	*out = NULL;
	if (!dir)
		return err_set(err, -ENOMEM, "out of memory");
	dir->shown = shown;
	dir->node = *node;
	int r = take_names(dir, err);
	if (r < 0) {
		dir_close(dir);
		return r;
	}
	*out = dir;
	return 0;
}

static void end_scan(struct dir *dir)
{
	if (dir->scanning)
		scan_fini(&dir->scan);
	dir->scanning = false;
}

void dir_close(struct dir *dir)
{
	forget_names(dir);
	free(dir->names);
	end_scan(dir);
	free(dir);
}

/* Starts scanning at a line: its segment is held then. */
static int begin_scan(struct dir *dir, const struct place *place, struct segment **segment, struct err *err)
{
	struct segments *segments = store_segments(dir->shown->store);
	int r;

	end_scan(dir);
	if ((r = segments_hold(segments, place->segment, segment, err)) < 0)
		return r;
	r = bytes_scan(&dir->scan, *segment, place->off, segments_shown(segments, *segment), err);
	if (r < 0) {
		segments_release(*segment);
		return r;
	}
	dir->scanning = true;
	dir->scan_segment = place->segment;
	return 0;
}

/* The scan of the entry before, where it stands there and its segment still is; then that is held. */
static bool hold_scan(struct dir *dir, uint64_t cookie, struct segment **segment)
{
	return dir->scanning && dir->scan_cookie == cookie &&
	       segments_hold(store_segments(dir->shown->store), dir->scan_segment, segment, NULL) == 0;
}

/* The first second at or after the cookie among the next lines: 1; 0 where none is near. */
static int scan_second(struct dir *dir, uint64_t cookie, uint64_t *epoch, struct err *err)
{
	struct segment *segment;
	struct line_head head;
	const char *line;
	size_t len;
	uint64_t off, from = dir->scan.off;
	int r = 0;

	if (!hold_scan(dir, cookie, &segment))
		return 0;
	while (dir->scan.off - from < NEAR && (r = scan_next(&dir->scan, &line, &len, &off, err)) == 1) {
		if (!line_parse(line, len, &head)) {
			r = err_set(err, -EIO, "not a line of the format");
			break;
		}
		*epoch = head.position.epoch;
		if (*epoch >= cookie)
			break;
		r = 0;
	}
	segments_release(segment);
	return r;
}

/* By a look-up. Where the second before was short, the next one will not be far. */
static int find_second(struct dir *dir, uint64_t cookie, uint64_t *epoch, struct err *err)
{
	struct place place;
	struct segment *segment;
	int r = find_line(dir->shown->store, (struct position){cookie, 0}, &place, err);

	if (r != 1)
		return r;
	*epoch = place.position.epoch;
	bool near = place.at - dir->found_at < NEAR;
	dir->found_at = place.at;
	if (!near) {
		end_scan(dir);
		return 1;
	}
	if ((r = begin_scan(dir, &place, &segment, err)) < 0)
		return r;
	segments_release(segment);
	return 1;
}

static int next_second(struct dir *dir, uint64_t cookie, struct dir_entry *entry, struct err *err)
{
	uint64_t epoch = 0;
	int r = 1;

	if (cookie != dir->asked || !dir->told) { /* else the entry did not fit into the reply before */
		r = scan_second(dir, cookie, &epoch, err);
		if (r == 0)
			r = find_second(dir, cookie, &epoch, err);
		if (r != 1)
			return r;
		dir->asked = cookie;
		dir->told = epoch;
		dir->scan_cookie = epoch + 1;
	}
	snprintf(entry->name, sizeof entry->name, "%" PRIu64, dir->told);
	entry->cookie = dir->told + 1;
	return 1;
}

/* The next day, at or after the cookie, that has lines and all of them: a look-up each. */
static int next_day(struct dir *dir, uint64_t cookie, struct dir_entry *entry, struct err *err)
{
	struct place place;
	uint64_t day = cookie;
	int r;

	while ((r = find_line(dir->shown->store, (struct position){day * DAY_SECONDS, 0}, &place, err)) == 1) {
		day = place.position.epoch / DAY_SECONDS;
		if (!find_given_up(dir->shown->store, (struct position){day * DAY_SECONDS, 0}))
			break;
		day++;
	}
	if (r != 1)
		return r;
	tree_day_name(entry->name, day * DAY_SECONDS);
	entry->cookie = day + 1;
	return 1;
}

/* Starts scanning at the line of this second with that number: 1, with its segment held; 0 at the end. */
static int start_scan(struct dir *dir, uint64_t seq, struct segment **segment, struct err *err)
{
	struct place place;
	int r = find_line(dir->shown->store, (struct position){dir->node.position.epoch, seq}, &place, err);

	if (r != 1)
		return r;
	if ((r = begin_scan(dir, &place, segment, err)) < 0)
		return r;
	dir->scan_cookie = seq;
	return 1;
}

/* Goes on where the entry before was; anew, where that is not at hand. */
static int resume_scan(struct dir *dir, uint64_t cookie, bool anew, struct segment **segment, struct err *err)
{
	if (anew || !hold_scan(dir, cookie, segment))
		return start_scan(dir, cookie, segment, err);
	return 1;
}

/* "all" first, then the line of number n at the cookie n + 1. */
static int next_line(struct dir *dir, uint64_t cookie, struct dir_entry *entry, struct err *err)
{
	struct segment *segment;
	struct line_head head;
	const char *line;
	size_t len;
	uint64_t off;
	int r = 0;

	if (cookie == 0) {
		strcpy(entry->name, tree_fixed_name(&dir->node, 0));
		entry->cookie = 1;
		return 1;
	}
	/* At a segment's end the second may go on in the next. */
	for (int tries = 0; tries < 2 && r == 0; tries++) {
		if ((r = resume_scan(dir, cookie - 1, tries > 0, &segment, err)) != 1)
			return r;
		r = scan_next(&dir->scan, &line, &len, &off, err);
		segments_release(segment);
	}
	if (r != 1)
		return r;
	if (!line_parse(line, len, &head))
		return err_set(err, -EIO, "not a line of the format");
	if (head.position.epoch != dir->node.position.epoch)
		return 0;
	snprintf(entry->name, sizeof entry->name, "%" PRIu64, head.position.seq);
	dir->scan_cookie = head.position.seq + 1;
	entry->cookie = dir->scan_cookie + 1;
	return 1;
}

int dir_entry(struct dir *dir, uint64_t cookie, struct dir_entry *entry, struct err *err)
{
	const char *name = NULL;
	int r = 0;

	switch (dir->node.kind) {
	case NODE_BY_TIME: r = next_second(dir, cookie, entry, err); break;
	case NODE_SECOND: r = next_line(dir, cookie, entry, err); break;
	case NODE_DAYS: r = next_day(dir, cookie, entry, err); break;
	case NODE_TABLES:
	case NODE_SINCE_TABLES:
	case NODE_SCHEMA:
	case NODE_SNAPSHOTS:
	case NODE_COPIES: r = next_name(dir, cookie, entry, err); break;
	default: name = tree_fixed_name(&dir->node, (unsigned)cookie); break;
	}
	if (name) {
		snprintf(entry->name, sizeof entry->name, "%s", name);
		entry->cookie = cookie + 1;
		r = 1;
	}
	if (r == 1 && !tree_child(&dir->node, entry->name, &entry->node))
		return 0;
	if (r == 1)
		file_pin(dir->shown, &entry->node);
	return r;
}
