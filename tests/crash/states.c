#include "states.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uthash.h>

#include "lose.h"
#include "trace.h"

/* Which node has an inode number now. */
struct number {
	uint64_t ino;
	struct node *node;
	UT_hash_handle hh;
};

struct states {
	char *base;
	const char *trace;
	size_t trace_len;
	struct place {
		size_t at;
		uint64_t confirmed; /* before it */
	} * records;
	size_t count;
	/* As of record `applied`. */
	size_t applied;
	struct disk disk;
	struct number *numbers;
};

/* ---- the trace ---------------------------------------------------------- */

static struct trace_record record_at(const struct states *s, size_t i)
{
	struct trace_record record;

	memcpy(&record, s->trace + s->records[i].at, sizeof record);
	return record;
}

/* Its path, other path and data; the paths are copied. */
static const char *parts_of(const struct states *s, size_t i, const struct trace_record *record, char *path, char *to)
{
	const char *at = s->trace + s->records[i].at + sizeof *record;

	must(record->path_len < PATH_MAX && record->to_len < PATH_MAX);
	snprintf(path, PATH_MAX, "%.*s", (int)record->path_len, at);
	at += record->path_len;
	snprintf(to, PATH_MAX, "%.*s", (int)record->to_len, at);
	return at + record->to_len;
}

static void read_trace(struct states *s, const char *path)
{
	int fd = open(path, O_RDONLY);
	uint64_t confirmed = 0;
	struct stat st;
	size_t cap = 0;

	must(fd >= 0 && fstat(fd, &st) == 0);
	s->trace_len = (size_t)st.st_size;
	void *map = s->trace_len ? mmap(NULL, s->trace_len, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	must(map != MAP_FAILED);
	s->trace = map;
	close(fd);
	for (size_t at = 0; at < s->trace_len;) {
		s->records = disk_more(s->records, s->count, &cap, sizeof *s->records);
		s->records[s->count++] = (struct place){at, confirmed};
		must(s->trace_len - at >= sizeof(struct trace_record));
		struct trace_record record = record_at(s, s->count - 1);
		if (record.call == TRACE_CONFIRM && record.off > confirmed)
			confirmed = record.off;
		at += sizeof record + record.path_len + record.to_len + record.data_len;
		must(at <= s->trace_len); /* else a process was killed from outside */
	}
	s->records = disk_more(s->records, s->count, &cap, sizeof *s->records);
	s->records[s->count] = (struct place){s->trace_len, confirmed};
}

/* ---- nodes -------------------------------------------------------------- */

static void bind(struct states *s, uint64_t ino, struct node *node)
{
	struct number *number;

	HASH_FIND(hh, s->numbers, &ino, sizeof ino, number);
	if (!number) {
		must((number = calloc(1, sizeof *number)));
		number->ino = ino;
		HASH_ADD(hh, s->numbers, ino, sizeof number->ino, number);
	}
	number->node = node;
}

static struct node *find_node(struct states *s, uint64_t ino, const char *path)
{
	struct number *number;

	HASH_FIND(hh, s->numbers, &ino, sizeof ino, number);
	if (number)
		return number->node;
	struct node *node = *path ? disk_find(&s->disk, path) : NULL;
	if (node)
		bind(s, ino, node);
	return node;
}

static void forget(struct states *s)
{
	struct number *number, *next;

	disk_fini(&s->disk);
	HASH_ITER(hh, s->numbers, number, next)
	{
		HASH_DEL(s->numbers, number);
		free(number);
	}
}

/* ---- records ------------------------------------------------------------ */

/* Splits the path into its folder's node and its last name. */
static struct node *folder_of(struct states *s, char *path, const char **name)
{
	char *slash = strrchr(path, '/');

	*name = slash ? slash + 1 : path;
	if (slash)
		*slash = 0;
	struct node *folder = slash ? disk_find(&s->disk, path) : s->disk.root;
	must(folder && folder->folder);
	return folder;
}

static void change_folder(struct states *s, uint64_t at, enum change_kind kind, char *path, struct node *node)
{
	struct change change = {.at = at, .kind = kind, .node = node};
	const char *name;
	struct node *folder = folder_of(s, path, &name);

	snprintf(change.name, sizeof change.name, "%s", name);
	disk_change(folder, change);
}

static void move(struct states *s, uint64_t at, char *path, char *to)
{
	struct change change = {.at = at, .kind = MOVE};
	const char *name, *to_name;
	struct node *folder = folder_of(s, path, &name), *to_folder = folder_of(s, to, &to_name);
	struct entry *entry = disk_entry(&folder->names_now, name);

	must(entry && folder == to_folder); /* none of ours moves between folders */
	change.node = entry->node;
	snprintf(change.from, sizeof change.from, "%s", name);
	snprintf(change.name, sizeof change.name, "%s", to_name);
	disk_change(folder, change);
}

static void apply(struct states *s, size_t i)
{
	struct trace_record record = record_at(s, i);
	char path[PATH_MAX], to[PATH_MAX];
	const char *data = parts_of(s, i, &record, path, to);
	struct change change = {.at = s->records[i].at, .off = record.off, .data = data, .len = record.data_len};
	struct node *node;

	switch (record.call) {
	case TRACE_CREATE:
	case TRACE_MKDIR:
		if (strcmp(path, ".") == 0)
			break;
		node = disk_node(&s->disk, record.call == TRACE_MKDIR);
		bind(s, record.ino, node);
		change_folder(s, change.at, SET, path, node);
		break;
	case TRACE_WRITE:
	case TRACE_TRUNCATE:
		change.kind = record.call == TRACE_WRITE ? WRITE : TRUNCATE;
		if ((node = find_node(s, record.ino, path))) /* else it had no name before the trace began */
			disk_change(node, change);
		break;
	case TRACE_SYNC:
	case TRACE_SYNC_FOLDER:
	case TRACE_SYNC_FAILED:
		disk_settle(find_node(s, record.ino, path), record.off, record.call == TRACE_SYNC_FAILED);
		break;
	case TRACE_RENAME: move(s, change.at, path, to); break;
	case TRACE_UNLINK:
	case TRACE_RMDIR: change_folder(s, change.at, REMOVE, path, NULL); break;
	default: break;
	}
}

/* ---- the interface ------------------------------------------------------ */

struct states *states_open(const char *trace, const char *base)
{
	struct states *s = calloc(1, sizeof *s);

	must(s && (!base || (s->base = strdup(base))));
	read_trace(s, trace);
	disk_read(&s->disk, s->base);
	return s;
}

void states_free(struct states *s)
{
	forget(s);
	if (s->trace_len)
		munmap((void *)(uintptr_t)s->trace, s->trace_len);
	free(s->records);
	free(s->base);
	free(s);
}

size_t states_count(const struct states *s)
{
	return s->count;
}

unsigned states_call(const struct states *s, size_t at)
{
	return record_at(s, at).call;
}

size_t states_next(const struct states *s, size_t at)
{
	for (; at < s->count; at++) {
		uint32_t call = record_at(s, at).call;
		if (call != TRACE_START && call != TRACE_CONFIRM && call != TRACE_NOTE)
			break;
	}
	return at;
}

void states_make(struct states *s, size_t at, enum states_loss kind, unsigned seed, const char *out)
{
	if (at < s->applied) {
		forget(s);
		disk_read(&s->disk, s->base);
		s->applied = 0;
	}
	must(at <= s->count);
	while (s->applied < at)
		apply(s, s->applied++);
	lose(&s->disk, kind, seed, out);
}

uint64_t states_confirmed(const struct states *s, size_t at)
{
	return s->records[at].confirmed;
}

const char *states_note(const struct states *s, size_t at, const char *word)
{
	static char text[4096];
	size_t len = strlen(word);

	while (at-- > 0) {
		struct trace_record record = record_at(s, at);
		const char *data = s->trace + s->records[at].at + sizeof record + record.path_len + record.to_len;
		size_t left = record.data_len;
		if (record.call != TRACE_NOTE || left < len || memcmp(data, word, len) != 0 ||
		    (left > len && data[len] != ' '))
			continue;
		snprintf(text, sizeof text, "%.*s", left > len ? (int)(left - len - 1) : 0, data + len + 1);
		return text;
	}
	return NULL;
}
