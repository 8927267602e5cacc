#include "match.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "input.h"
#include "mountpoint.h"

/* The mount tells which tables its stream was narrowed to. */
int match_tables(struct database *database, const char *mount, struct err *err)
{
	char *value = mountpoint_status(mount, "tables"), *tables = NULL;
	int rc = 0;

	if (value && *value) {
		long len = line_unescape(value, (struct span){value, strlen(value)});
		value[len < 0 ? 0 : len] = 0;
		if (!(tables = filter_normalize(value, err)))
			rc = err_prefix(err, -EBADMSG, "the tables in %s/status", mount);
	}
	if (value && rc == 0)
		database_stream_tables(database, tables);
	free(value);
	return rc;
}

/* One table's file has no origin lines that would tell. */
static int check_generation(const struct database *database, const char *mount, struct err *err)
{
	uint64_t generation = database->table_file && database->has_origin ? mountpoint_generation(mount) : 0;

	if (generation == 0 || generation == database->origin.generation)
		return 0;
	return err_set(err, -ESTALE, "%s shows generation %llu, %s is a mirror of generation %llu", mount,
	               (unsigned long long)generation, database->path, (unsigned long long)database->origin.generation);
}

/* Whether the mount has the transaction at which the mirror stands. */
static bool is_known(const struct database *database, const struct follow_source *source)
{
	char path[4200];

	if (!database->has_position || !*database->lsn)
		return false;
	snprintf(path, sizeof path, "%s/by-time/%" PRIu64 "/%" PRIu64, source->mount, database->position.epoch,
	         database->position.seq);
	return input_look(path, NULL) == 0 && follow_recognize(source, database->position, database->lsn, NULL) == 0;
}

int match_database(const struct database *database, const struct follow_source *source, struct err *err)
{
	const struct origin *own = &database->origin;
	const char *mount = source->mount;
	struct origin shown;

	if (!mount || !database->has_origin)
		return 0;
	int rc = mountpoint_origin(mount, &shown, err);
	if (rc < 0 || strcmp(shown.database, own->database) == 0 || is_known(database, source))
		return rc;
	/* Of a table's file no transaction is known; the oldest line may be from before the renaming. */
	if (database->table_file && shown.generation < own->generation)
		return 0;
	return err_set(err, -EINVAL,
	               "%s is a mirror of database %s of system %" PRIu64 ", and %s shows database %s of system "
	               "%" PRIu64
	               ": it stays untouched; name its own mount, or another file (or remove this one, where "
	               "the database was renamed)",
	               database->path, own->database, own->system, mount, shown.database, shown.system);
}

/* Why the mirror's position is not there. The same name on another server may be the same database, moved. */
static int tell_foreign(const struct database *database, const struct follow_source *source, struct err *err)
{
	const char *mount = source->mount;
	struct err other;
	struct origin shown;

	if (match_database(database, source, &other) == -EINVAL) {
		*err = other;
		return -EINVAL;
	}
	if (!database->has_origin || mountpoint_origin(mount, &shown, NULL) < 0 ||
	    shown.system == database->origin.system || strcmp(shown.database, database->origin.database) != 0)
		return -ESTALE;
	return err_set(err, -ESTALE,
	               "%s shows database %s of another server, system %" PRIu64 ", and %s is a mirror of that of "
	               "system %" PRIu64,
	               mount, shown.database, shown.system, database->path, database->origin.system);
}

int match_source(struct database *database, const struct follow_source *source, struct err *err)
{
	/* What has no LSN to be recognized by is asked where it comes from. */
	int rc = database->table_file ? match_database(database, source, err) : 0;
	if (rc == 0)
		rc = check_generation(database, source->mount, err);
	if (rc == 0 && database->has_position)
		rc = follow_recognize(source, database->position, database->lsn, err);
	if (rc == -ESTALE)
		rc = tell_foreign(database, source, err);
	return rc == 0 ? match_tables(database, source->mount, err) : rc;
}
