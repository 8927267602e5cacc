#include "lose.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, LAST_WRITES = 4 };

/* How a state comes about. */
struct loss {
	enum states_loss kind;
	unsigned seed;
	uint64_t cut_at; /* the change of that place is cut, later ones are not there; 0: none */
};

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
static uint64_t choose_cut(const struct disk *disk, unsigned seed)
{
	uint64_t last[LAST_WRITES] = {0};
	size_t count = 0;

	for (const struct node *node = disk->nodes; node; node = node->next)
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

/* Where a write changes nothing, no cut is seen: it is within what is between. */
static size_t cut_byte(const struct change *change, uint64_t random, const struct bytes *there)
{
	size_t first = 0, last = change->len, held = there->len > change->off ? there->len - change->off : 0;

	while (first < last && first < held && there->at[change->off + first] == change->data[first])
		first++;
	while (last > first && last <= held && there->at[change->off + last - 1] == change->data[last - 1])
		last--;
	return first + random % (last - first + 1);
}

static size_t cut_len(const struct change *change, const struct loss *loss, const struct bytes *there)
{
	uint64_t random = mixed(loss->seed, change->at, change->off, 1), end = change->off + change->len;

	if (loss->kind == LOSS_SHREDS)
		return cut_byte(change, random, there);
	uint64_t sectors = (end - 1) / SECTOR - change->off / SECTOR,
	         at = (change->off / SECTOR + random % (sectors + 1)) * SECTOR;
	return at <= change->off ? 0 : at - change->off;
}

/* Each sector has the first few writes; how many, the seed says, and of the changes of the length as well. A truncation
 * is one of the length alone: file systems do it as a whole or not at all. Without it, what was written behind it there
 * has no place yet either. */
static void scatter(const struct node *node, const struct loss *loss, struct bytes *out)
{
	size_t chosen = mixed(loss->seed, node->id, 0, 2) % (node->count + 1), len = out->len;
	uint64_t limit = UINT64_MAX;

	for (size_t i = 0; i < node->count; i++) {
		const struct change *change = &node->changes[i];
		uint64_t end = change->off + change->len;
		if (change->kind == TRUNCATE) {
			if (i < chosen)
				disk_set_len(out, len = change->off);
			else if (change->off < limit)
				limit = change->off;
			continue;
		}
		for (uint64_t at = change->off, next; at < end && at < limit; at = next) {
			next = (at / SECTOR + 1) * SECTOR < end ? (at / SECTOR + 1) * SECTOR : end;
			if (i < mixed(loss->seed, node->id, at / SECTOR, 3) % (node->count + 1))
				disk_put(out, at, change->data + (at - change->off),
				         (next < limit ? next : limit) - at);
		}
		if (i < chosen && end > len)
			len = end;
	}
	disk_set_len(out, len);
}

static void lose_bytes(const struct node *node, const struct loss *loss, struct bytes *out)
{
	const struct bytes *from = loss->kind == LOSS_NONE ? &node->now : &node->disk;

	out->len = 0;
	disk_put(out, 0, from->at, from->len);
	if (loss->kind == LOSS_NONE || loss->kind == LOSS_ALL || loss->kind == LOSS_BYTES)
		return;
	if (loss->kind == LOSS_SECTORS) {
		scatter(node, loss, out);
		return;
	}
	for (size_t i = 0; i < node->count && node->changes[i].at <= loss->cut_at; i++) {
		struct change change = node->changes[i];
		if (change.kind == WRITE && loss->kind == LOSS_ZEROS)
			disk_set_len(out, change.off + change.len > out->len ? change.off + change.len : out->len);
		else {
			if (change.at == loss->cut_at)
				change.len = cut_len(&change, loss, out);
			disk_change_bytes(out, &change);
		}
	}
}

static void lose_names(const struct node *node, const struct loss *loss, struct names *out)
{
	bool synced = loss->kind == LOSS_ALL || loss->kind == LOSS_NAMES;

	disk_copy_names(out, &node->names_disk);
	for (size_t i = 0; !synced && i < node->count && node->changes[i].at <= loss->cut_at; i++)
		if (loss->kind != LOSS_SECTORS || mixed(loss->seed, node->id, node->changes[i].at, 4) % 2)
			disk_change_names(out, &node->changes[i]);
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

void lose(const struct disk *disk, enum states_loss kind, unsigned seed, const char *out)
{
	struct loss loss = {.kind = kind, .seed = seed, .cut_at = UINT64_MAX};

	if (kind == LOSS_TORN || kind == LOSS_SHREDS)
		loss.cut_at = choose_cut(disk, seed);
	make_folder(disk->root, &loss, out);
}
