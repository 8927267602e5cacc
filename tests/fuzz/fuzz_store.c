/*
 * fuzz_store.c - the small files of a store and of its snapshots, and what stands in them: each is read, or refused
 * with a sentence; what was read prints and reads the same again. The first byte says which file the others are.
 */
#include <errno.h>
#include <string.h>

#include "config.h"
#include "confirmed.h"
#include "crc32c.h"
#include "folder.h"
#include "manifest.h"
#include "name.h"
#include "proof.h"
#include "property.h"
#include "visible.h"

static void put_file(const char *name, const char *text, size_t len)
{
	int fd = openat(folder, name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	close(fd);
}

/* ---- daystream.conf */

static void check_config(const char *text, size_t len)
{
	struct config config, again;
	struct err err = {""};

	put_file("daystream.conf", text, len);
	int r = config_read(&config, folder, &err);
	must(r == 0 || (r == -EINVAL && *err.text));
	if (r == 0) {
		must(config.segment_bytes >= 4096 && config.keep_days <= 1000000);
		must(strcmp(config.snapshot, "auto") == 0 || strcmp(config.snapshot, "off") == 0);
		must(config_write(&config, folder, &err) == 0);
		must(config_read(&again, folder, &err) == 0);
		must(strcmp(config.conninfo, again.conninfo) == 0 && strcmp(config.slot, again.slot) == 0);
		must(strcmp(config.tables, again.tables) == 0 && config.segment_bytes == again.segment_bytes);
		must(config.keep_days == again.keep_days && config.keep_bytes == again.keep_bytes);
		config_fini(&again);
	}
	config_fini(&config);
	unlinkat(folder, "daystream.conf", 0);
}

/* ---- confirmed */

static void check_confirmed(char *text, size_t len)
{
	enum { SLOT = 512, CRC_AT = 8, COVERED_FROM = 12, FIRST_LEN = 48, SLOT_LEN = 104 };
	static const struct position shown = {1000, 0};
	struct confirmed_file file, again;
	struct proof proof = {0};
	struct err err = {""};

	/* Sums that are right, where the slot's first byte is odd; of the second version where the next bit says so. */
	for (size_t at = 0; at + FIRST_LEN <= len; at += SLOT) {
		bool second = text[at] & 2;
		size_t slot_len = second ? SLOT_LEN : FIRST_LEN;
		if ((text[at] & 1) && at + slot_len <= len) {
			memcpy(text + at, second ? "CnDfrm02" : "CnDfrm01", 8);
			uint32_t crc = crc32c(0, text + at + COVERED_FROM, slot_len - COVERED_FROM);
			memcpy(text + at + CRC_AT, &crc, sizeof crc);
		}
	}
	put_file("confirmed", text, len);
	/* Who follows a copy takes from it a mark that is further on than what it shows, or none. */
	int r = proof_look(&proof, folder, shown, &err);
	must(r == 0 || (r == -EAGAIN && *err.text));
	must(proof.count == 0 || (r == 0 && proof.count == 1 && position_cmp(proof.marks[0].last, shown) > 0));
	must(proof.count == 0 ||
	     (proof.marks[0].segment.epoch && proof_sum(&proof.marks[0], proof.marks[0].sealed, &err) == 0));
	must(confirmed_open(&file, folder, true, &err) == 0);
	struct confirmed next = file.now;
	next.idle_lsn++;
	next.last = (struct position){5, 6};
	uint64_t counter = file.counter;
	must(confirmed_write(&file, next, &err) == 0);
	confirmed_close(&file);
	must(confirmed_open(&again, folder, false, &err) == 0);
	/* What was written last counts. */
	must(counter == UINT64_MAX || (again.counter == counter + 1 && again.now.idle_lsn == next.idle_lsn));
	must(counter == UINT64_MAX || (again.now.off == next.off && again.now.sealed == next.sealed &&
	                               position_cmp(again.now.oldest, next.oldest) == 0));
	confirmed_close(&again);
	unlinkat(folder, "confirmed", 0);
}

/* ---- manifest */

/* The last line's sum, put right. */
static void right_sum(char *text, size_t len)
{
	const char *end = len > 1 ? memrchr(text, '\n', len - 1) : NULL;
	size_t before = end ? (size_t)(end + 1 - text) : 0;
	char digits[9];

	if (len < before + 14 || memcmp(text + before, "end\t", 4) != 0)
		return;
	snprintf(digits, sizeof digits, "%08x", crc32c(0, text, before));
	memcpy(text + len - 9, digits, 8);
}

static void check_manifest(char *text, size_t len)
{
	struct manifest manifest, again;
	struct err err = {""};
	char *printed = NULL;
	size_t printed_len;

	right_sum(text, len);
	int r = manifest_parse(&manifest, text, len, &err);
	must(r == 0 || (r == -EBADMSG && *err.text));
	if (r == 0) {
		char schema[NAME_RAW_MAX], table[NAME_RAW_MAX];
		/* A table's name is a file's: nothing else gets out of the folder. */
		for (size_t i = 0; i < manifest.count; i++)
			must(name_split(manifest.list[i].name, strlen(manifest.list[i].name), schema, table));
		must(manifest_print(&manifest, &printed, &printed_len, &err) == 0);
		must(manifest_parse(&again, printed, printed_len, &err) == 0);
		must(again.count == manifest.count && again.lsn == manifest.lsn);
		must(position_cmp(again.position, manifest.position) == 0);
		must(strcmp(again.visible, manifest.visible) == 0 && !again.tables == !manifest.tables);
		must(again.origin.generation == manifest.origin.generation);
		manifest_fini(&again);
		free(printed);
	}
	manifest_fini(&manifest);
}

/* ---- pg_snapshot */

static void check_visible(const char *text)
{
	struct visible visible;
	struct err err = {""};
	int r = visible_parse(&visible, text, &err);

	must(r == 0 || (r == -EBADMSG && *err.text));
	if (r == 0) {
		must(visible.xmin == 0 || visible_has(&visible, visible.xmin - 1));
		must(!visible_has(&visible, visible.xmax) && !visible_has(&visible, UINT64_MAX));
		for (size_t i = 0; i < visible.running_count; i++)
			must(!visible_has(&visible, visible.running[i]));
	}
	visible_fini(&visible);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (folder < 0)
		folder_open();
	size_t len = size - 1;
	char *text = malloc(len + 1);
	must(text);
	memcpy(text, data + 1, len);
	text[len] = 0;
	switch (data[0]) {
	case 'c': check_config(text, len); break;
	case 'd': check_confirmed(text, len); break;
	case 'm': check_manifest(text, len); break;
	case 'v': check_visible(text); break;
	default: break;
	}
	free(text);
	return 0;
}
