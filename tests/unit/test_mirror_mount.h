/*
 * test_mirror_mount.h - for the tests of mirror/: a mount with a snapshot, made by hand.
 */
#ifndef TEST_MIRROR_MOUNT_H
#define TEST_MIRROR_MOUNT_H

#include "test_mirror_stream.h"

#include "build.h"
#include "crc32c.h"
#include "manifest.h"
#include "mirror.h"

#define T_SCHEMA                                                                                                       \
	"_table\tt\t_relid\t16384\t_key\tid\t_"                                                                        \
	"action\tschema\tid\tnumber\\t1\\ttype\\tinteger\\tpk\\t1\tv\tnumber\\t2\\"                                    \
	"ttype\\ttext\n"
#define T_INSERT(id, v) "_table\tt\t_action\tinsert\tid\t" id "\tv\t" v "\n"
#define U_SCHEMA                                                                                                       \
	"_schema\ts\t_table\tu\t_relid\t16385\t_key\tid\t_action\tschema\tid\tnumber\\t1\\ttype\\tinteger\\tpk\\t1\n"

/* A mount with a snapshot at 1507507300.3: its stream is one transaction before it, its marker, and
 * what came after. */
struct mount {
	char dir[40], db[60];
	struct mirror_wish wish;
	struct manifest manifest;
	struct manifest_table tables[2];
	struct stream stream, overlap;
	sqlite3 *sqlite;
	char *answer;
	struct err err;
};

static inline void table_file(struct mount *m, size_t i, const char *name, const char *text)
{
	char path[200];
	uint64_t lines = 0;

	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	snprintf(path, sizeof path, "snapshots/1507507300.3/tables/%s", name);
	folder_write(m->dir, path, text, strlen(text));
	m->tables[i] = (struct manifest_table){(char *)name, lines - 1, strlen(text), crc32c(0, text, strlen(text))};
}

static inline void write_manifest(struct mount *m)
{
	char *text;
	size_t len;

	m->manifest.overlap_bytes = m->overlap.len;
	m->manifest.overlap_crc = crc32c(0, m->overlap.text, m->overlap.len);
	assert_int_equal(manifest_print(&m->manifest, &text, &len, &m->err), 0);
	folder_write(m->dir, "snapshots/1507507300.3/manifest", text, len);
	free(text);
}

/* Ends it with the marker, as the manifest says it. */
static inline void write_overlap(struct mount *m)
{
	struct stream *o = &m->overlap;

	o->next = (struct position){1507507300, 1};
	stream_line(o, "_xid\t760\t_action\tmessage\tprefix\tdaystream\tcontent\tsnapshot");
	o->xid = 760;
	stream_commit(o);
	m->manifest.lsn = 760 * 16;
	folder_write(m->dir, "snapshots/1507507300.3/overlap", o->text, o->len);
	write_manifest(m);
}

static inline int mount_setup(void **state)
{
	struct mount *m = calloc(1, sizeof *m);

	folder_make(m->dir);
	snprintf(m->db, sizeof m->db, "%s/m.sqlite", m->dir);
	m->wish = (struct mirror_wish){.source = {.mount = m->dir}, .path = m->db, .once = true};
	m->manifest = (struct manifest){
	    .position = {1507507300, 3},
	    .visible = "750:750:",
	    .origin = {.system = 7123, .timeline = 1, .generation = 1, .database = "bank", .slot = "daystream"},
	    .list = m->tables,
	    .count = 2};
	table_file(m, 0, "s.u", U_SCHEMA);
	table_file(m, 1, "t", T_SCHEMA T_INSERT("1", "one") T_INSERT("2", "two") T_INSERT("3", "three"));
	/* What the copy has not: it came before the marker. */
	stream_init(&m->overlap, 1507507250);
	m->overlap.xid = 755;
	stream_line(&m->overlap, "_table\tt\t_xid\t755\t_action\tupdate\tid\t2\tv\tTWO");
	stream_commit(&m->overlap);
	write_overlap(m);
	stream_init(&m->stream, 1507507300);
	m->stream.next.seq = 3;
	m->stream.xid = 770;
	stream_line(&m->stream, "_table\tt\t_xid\t770\t_action\tdelete\tid\t3");
	stream_line(&m->stream, "_schema\ts\t_table\tu\t_xid\t770\t_action\tinsert\tid\t7");
	stream_commit(&m->stream);
	folder_write(m->dir, "since/1507507300/3/live", m->stream.text, m->stream.len);
	static const char origin[] = "_c\t1507507200\t_s\t0\t_action\torigin\tsystem\t7123\ttimeline\t1\tdatabase\tbank"
	                             "\tslot\tdaystream\tgeneration\t1\n";
	folder_write(m->dir, "live", origin, sizeof origin - 1);
	*state = m;
	return 0;
}

static inline int mount_teardown(void **state)
{
	struct mount *m = *state;

	sqlite3_close(m->sqlite);
	sqlite3_free(m->answer);
	stream_fini(&m->stream);
	stream_fini(&m->overlap);
	folder_remove(m->dir);
	free(m);
	return 0;
}

static inline const char *asked(struct mount *m, const char *sql)
{
	struct world world = {0};

	if (!m->sqlite)
		assert_int_equal(sqlite3_open(m->db, &m->sqlite), SQLITE_OK);
	world.database.sqlite = m->sqlite;
	world.answer = m->answer;
	ask(&world, sql);
	m->answer = world.answer;
	return m->answer ? m->answer : "";
}

static inline bool there(const struct mount *m, const char *suffix)
{
	char path[100];

	snprintf(path, sizeof path, "%s%s", m->db, suffix);
	return access(path, F_OK) == 0;
}

static inline void built(struct mount *m)
{
	if (build_new(&m->wish, &m->err) < 0)
		fail_msg("%s", m->err.text);
}

static inline void not_built(struct mount *m, int code, const char *reason)
{
	assert_int_equal(build_new(&m->wish, &m->err), code);
	if (!strstr(m->err.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", m->err.text, reason);
	assert_false(there(m, ""));
	assert_false(there(m, ".building"));
}

static inline void opened(struct mount *m, struct mirror *mirror)
{
	if (mirror_open(mirror, &m->wish, m->db, false, 0, &m->err) < 0)
		fail_msg("%s", m->err.text);
}

#endif
