#include "cache.h"

#include "sql.h"

int64_t cache_bytes(sqlite3 *sqlite)
{
	int now = 0, most = 0;

	sqlite3_db_status(sqlite, SQLITE_DBSTATUS_CACHE_USED, &now, &most, 0);
	return now;
}

int cache_give_back(sqlite3 *sqlite, struct err *err)
{
	int rc = sqlite3_db_cacheflush(sqlite);

	/* Pages that somebody holds stay. Of any other error the connection does not know. */
	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
		return sql_untold(sqlite, rc, err);
	sqlite3_db_release_memory(sqlite);
	return 0;
}
