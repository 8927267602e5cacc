#include "disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void *disk_more(void *list, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return list;
	*cap = *cap ? *cap * 2 : 8;
	must((list = realloc(list, *cap * size)));
	return list;
}

void disk_set_len(struct bytes *bytes, size_t len)
{
	if (len > bytes->cap) {
		bytes->cap = len > 2 * bytes->cap ? len : 2 * bytes->cap;
		must((bytes->at = realloc(bytes->at, bytes->cap)));
	}
	if (len > bytes->len)
		memset(bytes->at + bytes->len, 0, len - bytes->len);
	bytes->len = len;
}

void disk_put(struct bytes *bytes, uint64_t off, const char *data, size_t len)
{
	if (len == 0)
		return;
	if (bytes->len < off + len)
		disk_set_len(bytes, off + len);
	memcpy(bytes->at + off, data, len);
}

void disk_change_bytes(struct bytes *bytes, const struct change *change)
{
	if (change->kind == TRUNCATE)
		disk_set_len(bytes, change->off);
	else
		disk_put(bytes, change->off, change->data, change->len);
}

struct entry *disk_entry(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->list[i].name, name) == 0)
			return &names->list[i];
	return NULL;
}

static void remove_name(struct names *names, const char *name)
{
	struct entry *entry = disk_entry(names, name);

	if (entry)
		*entry = names->list[--names->count];
}

static void set_name(struct names *names, const char *name, struct node *node)
{
	struct entry *entry = disk_entry(names, name);

	if (!entry) {
		names->list = disk_more(names->list, names->count, &names->cap, sizeof *names->list);
		entry = &names->list[names->count++];
	}
	snprintf(entry->name, sizeof entry->name, "%s", name);
	entry->node = node;
}

void disk_change_names(struct names *names, const struct change *change)
{
	if (change->kind == MOVE)
		remove_name(names, change->from);
	if (change->kind == REMOVE)
		remove_name(names, change->name);
	else
		set_name(names, change->name, change->node);
}

void disk_copy_names(struct names *to, const struct names *from)
{
	to->count = 0;
	for (size_t i = 0; i < from->count; i++)
		set_name(to, from->list[i].name, from->list[i].node);
}

/* ---- nodes -------------------------------------------------------------- */

struct node *disk_node(struct disk *disk, bool folder)
{
	struct node *node = calloc(1, sizeof *node);

	must(node);
	node->id = ++disk->count;
	node->folder = folder;
	node->next = disk->nodes;
	disk->nodes = node;
	return node;
}

struct node *disk_find(const struct disk *disk, const char *path)
{
	struct node *node = disk->root;
	char name[PATH_MAX];

	for (size_t n; node && strcmp(path, ".") != 0 && *path; path += n + (path[n] == '/')) {
		n = strcspn(path, "/");
		snprintf(name, sizeof name, "%.*s", (int)n, path);
		struct entry *entry = node->folder ? disk_entry(&node->names_now, name) : NULL;
		node = entry ? entry->node : NULL;
	}
	return node;
}

void disk_change(struct node *node, struct change change)
{
	node->changes = disk_more(node->changes, node->count, &node->cap, sizeof *node->changes);
	node->changes[node->count++] = change;
	if (node->folder)
		disk_change_names(&node->names_now, &change);
	else
		disk_change_bytes(&node->now, &change);
}

void disk_settle(struct node *node, uint64_t covers, bool failed)
{
	size_t left = 0;

	if (!node || (failed && node->folder))
		return;
	for (size_t i = 0; i < node->count; i++) {
		struct change *change = &node->changes[i];
		if (change->at >= covers)
			node->changes[left++] = *change;
		else if (!failed && node->folder)
			disk_change_names(&node->names_disk, change);
		else if (!failed)
			disk_change_bytes(&node->disk, change);
	}
	node->count = left;
}

static struct node *read_folder(struct disk *disk, const char *path)
{
	struct node *node = disk_node(disk, true);
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
		struct node *child = S_ISDIR(st.st_mode) ? read_folder(disk, below) : disk_node(disk, false);
		if (!child->folder) {
			int fd = open(below, O_RDONLY);
			disk_set_len(&child->disk, (size_t)st.st_size);
			must(fd >= 0 && read(fd, child->disk.at, child->disk.len) == (ssize_t)child->disk.len);
			close(fd);
			disk_put(&child->now, 0, child->disk.at, child->disk.len);
		}
		set_name(&node->names_now, entry->d_name, child);
		set_name(&node->names_disk, entry->d_name, child);
	}
	if (dir)
		closedir(dir);
	return node;
}

void disk_read(struct disk *disk, const char *path)
{
	*disk = (struct disk){.nodes = NULL};
	disk->root = read_folder(disk, path);
}

void disk_fini(struct disk *disk)
{
	for (struct node *node = disk->nodes, *next; node; node = next) {
		next = node->next;
		free(node->now.at);
		free(node->disk.at);
		free(node->names_now.list);
		free(node->names_disk.list);
		free(node->changes);
		free(node);
	}
}
