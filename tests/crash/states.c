#include "states.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uthash.h>

#include "trace.h"

enum { SECTOR = 512, LAST_WRITES = 4 };

#define must(call)                                                                                                     \
	do {                                                                                                           \
		if (!(call)) {                                                                                         \
			fprintf(stderr, "%s:%d: %s (errno: %s)\n", __FILE__, __LINE__, #call, strerror(errno));        \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

struct bytes {
	char *at;
	size_t len, cap;
};

/* The entries of a folder. */
struct names {
	struct entry {
		char name[NAME_MAX + 1];
		struct node *node;
	} * list;
	size_t count, cap;
};

/* A change that is not on the disk yet. */
struct change {
	uint64_t at; /* in the trace */
	enum { WRITE, TRUNCATE, SET, REMOVE, MOVE } kind;
	uint64_t off; /* of a file */
	const char *data;
	size_t len;
	char name[NAME_MAX + 1], from[NAME_MAX + 1]; /* of a folder */
	struct node *node;
};

struct node {
	unsigned id;
	bool folder;
	struct bytes now, disk; /* as processes see it; as it was synced */
	struct names names_now, names_disk;
	struct change *changes;
	size_t count, cap;
	struct node *next; /* of all that ever were */
};

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
	struct node *root, *nodes;
	struct number *numbers;
	unsigned ids;
};

/* How a state comes about. */
struct loss {
	enum states_loss kind;
	unsigned seed;
	uint64_t cut_at; /* the change of that place is cut, later ones are not there; 0: none */
};

/* ---- the trace ---------------------------------------------------------- */

static void *more(void *list, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return list;
	*cap = *cap ? *cap * 2 : 8;
	must((list = realloc(list, *cap * size)));
	return list;
}

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

	must(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0);
	s->trace_len = (size_t)st.st_size;
	void *map = mmap(NULL, s->trace_len, PROT_READ, MAP_PRIVATE, fd, 0);
	must(map != MAP_FAILED);
	s->trace = map;
	close(fd);
	for (size_t at = 0; at < s->trace_len;) {
		s->records = more(s->records, s->count, &cap, sizeof *s->records);
		s->records[s->count++] = (struct place){at, confirmed};
		must(s->trace_len - at >= sizeof(struct trace_record));
		struct trace_record record = record_at(s, s->count - 1);
		if (record.call == TRACE_CONFIRM && record.off > confirmed)
			confirmed = record.off;
		at += sizeof record + record.path_len + record.to_len + record.data_len;
		must(at <= s->trace_len); /* else a process was killed from outside */
	}
	s->records = more(s->records, s->count, &cap, sizeof *s->records);
	s->records[s->count] = (struct place){s->trace_len, confirmed};
}

/* ---- bytes and names ---------------------------------------------------- */

static void set_len(struct bytes *bytes, size_t len)
{
	if (len > bytes->cap) {
		bytes->cap = len > 2 * bytes->cap ? len : 2 * bytes->cap;
		must((bytes->at = realloc(bytes->at, bytes->cap)));
	}
	if (len > bytes->len)
		memset(bytes->at + bytes->len, 0, len - bytes->len);
	bytes->len = len;
}

static void put_bytes(struct bytes *bytes, uint64_t off, const char *data, size_t len)
{
	if (len == 0)
		return;
	if (bytes->len < off + len)
		set_len(bytes, off + len);
	memcpy(bytes->at + off, data, len);
}

static void change_bytes(struct bytes *bytes, const struct change *change)
{
	if (change->kind == TRUNCATE)
		set_len(bytes, change->off);
	else
		put_bytes(bytes, change->off, change->data, change->len);
}

static struct entry *find_entry(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->list[i].name, name) == 0)
			return &names->list[i];
	return NULL;
}

static void remove_name(struct names *names, const char *name)
{
	struct entry *entry = find_entry(names, name);

	if (entry)
		*entry = names->list[--names->count];
}

static void set_name(struct names *names, const char *name, struct node *node)
{
	struct entry *entry = find_entry(names, name);

	if (!entry) {
		names->list = more(names->list, names->count, &names->cap, sizeof *names->list);
		entry = &names->list[names->count++];
	}
	snprintf(entry->name, sizeof entry->name, "%s", name);
	entry->node = node;
}

static void change_names(struct names *names, const struct change *change)
{
	if (change->kind == MOVE)
		remove_name(names, change->from);
	if (change->kind == REMOVE)
		remove_name(names, change->name);
	else
		set_name(names, change->name, change->node);
}

static void copy_names(struct names *to, const struct names *from)
{
	to->count = 0;
	for (size_t i = 0; i < from->count; i++)
		set_name(to, from->list[i].name, from->list[i].node);
}

/* ---- nodes -------------------------------------------------------------- */

static struct node *new_node(struct states *s, bool folder)
{
	struct node *node = calloc(1, sizeof *node);

	must(node);
	node->id = ++s->ids;
	node->folder = folder;
	node->next = s->nodes;
	s->nodes = node;
	return node;
}

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

/* As processes see the names; NULL where there is none. */
static struct node *find_path(struct states *s, const char *path)
{
	struct node *node = s->root;
	char name[PATH_MAX];

	for (size_t n; node && strcmp(path, ".") != 0 && *path; path += n + (path[n] == '/')) {
		n = strcspn(path, "/");
		snprintf(name, sizeof name, "%.*s", (int)n, path);
		struct entry *entry = node->folder ? find_entry(&node->names_now, name) : NULL;
		node = entry ? entry->node : NULL;
	}
	return node;
}

static struct node *find_node(struct states *s, uint64_t ino, const char *path)
{
	struct number *number;

	HASH_FIND(hh, s->numbers, &ino, sizeof ino, number);
	if (number)
		return number->node;
	struct node *node = *path ? find_path(s, path) : NULL;
	if (node)
		bind(s, ino, node);
	return node;
}

static void free_nodes(struct states *s)
{
	struct number *number, *next_number;

	for (struct node *node = s->nodes, *next; node; node = next) {
		next = node->next;
		free(node->now.at);
		free(node->disk.at);
		free(node->names_now.list);
		free(node->names_disk.list);
		free(node->changes);
		free(node);
	}
	HASH_ITER(hh, s->numbers, number, next_number)
	{
		HASH_DEL(s->numbers, number);
		free(number);
	}
	s->nodes = s->root = NULL;
	s->ids = 0;
}

/* What was there before the trace is on the disk. */
static struct node *read_base(struct states *s, const char *path)
{
	struct node *node = new_node(s, true);
	struct dirent *entry;
	DIR *dir = path ? opendir(path) : NULL;

	must(dir || !path);
	while (dir && (entry = readdir(dir))) {
		char below[PATH_MAX];
		struct stat st;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		must(snprintf(below, sizeof below, "%s/%s", path, entry->d_name) < (int)sizeof below);
		must(lstat(below, &st) == 0);
		struct node *child = S_ISDIR(st.st_mode) ? read_base(s, below) : new_node(s, false);
		if (!child->folder) {
			int fd = open(below, O_RDONLY);
			set_len(&child->disk, (size_t)st.st_size);
			must(fd >= 0 && read(fd, child->disk.at, child->disk.len) == (ssize_t)child->disk.len);
			close(fd);
			put_bytes(&child->now, 0, child->disk.at, child->disk.len);
		}
		set_name(&node->names_now, entry->d_name, child);
		set_name(&node->names_disk, entry->d_name, child);
	}
	if (dir)
		closedir(dir);
	return node;
}

/* ---- records ------------------------------------------------------------ */

static void add_change(struct node *node, struct change change)
{
	node->changes = more(node->changes, node->count, &node->cap, sizeof *node->changes);
	node->changes[node->count++] = change;
	if (node->folder)
		change_names(&node->names_now, &change);
	else
		change_bytes(&node->now, &change);
}

/* Splits the path into its folder's node and its last name. */
static struct node *folder_of(struct states *s, char *path, const char **name)
{
	char *slash = strrchr(path, '/');

	*name = slash ? slash + 1 : path;
	if (slash)
		*slash = 0;
	struct node *folder = slash ? find_path(s, path) : s->root;
	must(folder && folder->folder);
	return folder;
}

static void change_folder(struct states *s, uint64_t at, int kind, char *path, struct node *node)
{
	struct change change = {.at = at, .kind = kind, .node = node};
	const char *name;
	struct node *folder = folder_of(s, path, &name);

	snprintf(change.name, sizeof change.name, "%s", name);
	add_change(folder, change);
}

static void move(struct states *s, uint64_t at, char *path, char *to)
{
	struct change change = {.at = at, .kind = MOVE};
	const char *name, *to_name;
	struct node *folder = folder_of(s, path, &name), *to_folder = folder_of(s, to, &to_name);
	struct entry *entry = find_entry(&folder->names_now, name);

	must(entry && folder == to_folder); /* none of ours moves between folders */
	change.node = entry->node;
	snprintf(change.from, sizeof change.from, "%s", name);
	snprintf(change.name, sizeof change.name, "%s", to_name);
	add_change(folder, change);
}

/* What was changed before the place `covers` is on the disk, or never will be. */
static void settle(struct node *node, uint64_t covers, bool failed)
{
	size_t left = 0;

	if (!node || (failed && node->folder))
		return;
	for (size_t i = 0; i < node->count; i++) {
		struct change *change = &node->changes[i];
		if (change->at >= covers)
			node->changes[left++] = *change;
		else if (!failed && node->folder)
			change_names(&node->names_disk, change);
		else if (!failed)
			change_bytes(&node->disk, change);
	}
	node->count = left;
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
		node = new_node(s, record.call == TRACE_MKDIR);
		bind(s, record.ino, node);
		change_folder(s, change.at, SET, path, node);
		break;
	case TRACE_WRITE:
	case TRACE_TRUNCATE:
		change.kind = record.call == TRACE_WRITE ? WRITE : TRUNCATE;
		if ((node = find_node(s, record.ino, path))) /* else it had no name before the trace began */
			add_change(node, change);
		break;
	case TRACE_SYNC:
	case TRACE_SYNC_FOLDER:
	case TRACE_SYNC_FAILED:
		settle(find_node(s, record.ino, path), record.off, record.call == TRACE_SYNC_FAILED);
		break;
	case TRACE_RENAME: move(s, change.at, path, to); break;
	case TRACE_UNLINK:
	case TRACE_RMDIR: change_folder(s, change.at, REMOVE, path, NULL); break;
	default: break;
	}
}

/* ---- what is left ------------------------------------------------------- */

static uint64_t mixed(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	uint64_t x = a;

	for (int i = 0; i < 3; i++) {
		x = (x ^ (i == 0 ? b : i == 1 ? c : d)) * 0x9e3779b97f4a7c15;
		x ^= x >> 29;
		x *= 0xbf58476d1ce4e5b9;
		x ^= x >> 32;
	}
	return x;
}

/* The write that is cut: one of the last, wherever it is. */
static uint64_t choose_cut(const struct states *s, unsigned seed)
{
	uint64_t last[LAST_WRITES] = {0};
	size_t count = 0;

	for (const struct node *node = s->nodes; node; node = node->next)
		for (size_t i = 0; i < node->count; i++) {
			uint64_t at = node->changes[i].at;
			if (node->changes[i].kind != WRITE || at <= last[LAST_WRITES - 1])
				continue;
			size_t to = LAST_WRITES - 1;
			for (; to > 0 && last[to - 1] < at; to--)
				last[to] = last[to - 1];
			last[to] = at;
			count += count < LAST_WRITES;
		}
	return count ? last[seed % count] : UINT64_MAX;
}

static size_t cut_len(const struct change *change, const struct loss *loss)
{
	uint64_t random = mixed(loss->seed, change->at, change->off, 1), end = change->off + change->len;

	if (loss->kind == LOSS_SHREDS)
		return random % (change->len + 1);
	uint64_t sectors = (end - 1) / SECTOR - change->off / SECTOR,
	         at = (change->off / SECTOR + random % (sectors + 1)) * SECTOR;
	return at <= change->off ? 0 : at - change->off;
}

/* Each sector has the first few changes; how many, the seed says, and of the length as well. */
static void scatter(const struct node *node, const struct loss *loss, struct bytes *out)
{
	size_t chosen = mixed(loss->seed, node->id, 0, 2) % (node->count + 1), len = out->len;

	for (size_t i = 0; i < node->count; i++) {
		const struct change *change = &node->changes[i];
		uint64_t end = change->off + change->len;
		if (change->kind == TRUNCATE)
			end = out->len;
		for (uint64_t at = change->off, next; at < end; at = next) {
			next = (at / SECTOR + 1) * SECTOR < end ? (at / SECTOR + 1) * SECTOR : end;
			if (i >= mixed(loss->seed, node->id, at / SECTOR, 3) % (node->count + 1))
				continue;
			if (change->kind == WRITE)
				put_bytes(out, at, change->data + (at - change->off), next - at);
			else
				memset(out->at + at, 0, next - at);
		}
		if (i < chosen)
			len = change->kind == TRUNCATE ? change->off : end > len ? end : len;
	}
	set_len(out, len);
}

static void lose_bytes(const struct node *node, const struct loss *loss, struct bytes *out)
{
	const struct bytes *from = loss->kind == LOSS_NONE ? &node->now : &node->disk;

	out->len = 0;
	put_bytes(out, 0, from->at, from->len);
	if (loss->kind == LOSS_NONE || loss->kind == LOSS_ALL || loss->kind == LOSS_BYTES)
		return;
	if (loss->kind == LOSS_SECTORS) {
		scatter(node, loss, out);
		return;
	}
	for (size_t i = 0; i < node->count && node->changes[i].at <= loss->cut_at; i++) {
		struct change change = node->changes[i];
		if (change.kind == WRITE && loss->kind == LOSS_ZEROS)
			set_len(out, change.off + change.len > out->len ? change.off + change.len : out->len);
		else {
			if (change.at == loss->cut_at)
				change.len = cut_len(&change, loss);
			change_bytes(out, &change);
		}
	}
}

static void lose_names(const struct node *node, const struct loss *loss, struct names *out)
{
	bool synced = loss->kind == LOSS_ALL || loss->kind == LOSS_NAMES;

	copy_names(out, &node->names_disk);
	for (size_t i = 0; !synced && i < node->count && node->changes[i].at <= loss->cut_at; i++)
		if (loss->kind != LOSS_SECTORS || mixed(loss->seed, node->id, node->changes[i].at, 4) % 2)
			change_names(out, &node->changes[i]);
}

static void make_folder(const struct node *node, const struct loss *loss, const char *path)
{
	struct names names = {0};
	struct bytes bytes = {0};

	must(mkdir(path, 0700) == 0);
	lose_names(node, loss, &names);
	for (size_t i = 0; i < names.count; i++) {
		char below[PATH_MAX];
		must(snprintf(below, sizeof below, "%s/%s", path, names.list[i].name) < (int)sizeof below);
		if (names.list[i].node->folder) {
			make_folder(names.list[i].node, loss, below);
			continue;
		}
		lose_bytes(names.list[i].node, loss, &bytes);
		int fd = open(below, O_WRONLY | O_CREAT | O_EXCL, 0600);
		must(fd >= 0 && write(fd, bytes.at, bytes.len) == (ssize_t)bytes.len);
		close(fd);
	}
	free(names.list);
	free(bytes.at);
}

/* ---- the interface ------------------------------------------------------ */

struct states *states_open(const char *trace, const char *base)
{
	struct states *s = calloc(1, sizeof *s);

	must(s && (!base || (s->base = strdup(base))));
	read_trace(s, trace);
	s->root = read_base(s, s->base);
	return s;
}

void states_free(struct states *s)
{
	free_nodes(s);
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
	struct loss loss = {.kind = kind, .seed = seed, .cut_at = UINT64_MAX};

	if (at < s->applied) {
		free_nodes(s);
		s->root = read_base(s, s->base);
		s->applied = 0;
	}
	must(at <= s->count);
	while (s->applied < at)
		apply(s, s->applied++);
	if (kind == LOSS_TORN || kind == LOSS_SHREDS)
		loss.cut_at = choose_cut(s, seed);
	make_folder(s->root, &loss, out);
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
