/*
 * end_stream.c - end_stream CONNINFO SLOT COUNT QUERY: has SLOT streamed, ends that after COUNT messages, while more comes, and asks
 * the same connection QUERY; prints its first value. For 06-plugin-cork.sh.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

static PGresult *expect(PGconn *connection, PGresult *result, ExecStatusType status)
{
	if (PQresultStatus(result) != status) {
		fprintf(stderr, "%s: %s", PQresStatus(PQresultStatus(result)), PQerrorMessage(connection));
		exit(1);
	}
	return result;
}

int main(int argc, char **argv)
{
	PGconn *connection = argc == 5 ? PQconnectdb(argv[1]) : NULL;
	char command[200], *message;

	if (!connection || PQstatus(connection) != CONNECTION_OK) {
		fprintf(stderr, "end_stream CONNINFO SLOT COUNT QUERY: %s",
		        connection ? PQerrorMessage(connection) : "\n");
		return 1;
	}
	snprintf(command, sizeof command, "START_REPLICATION SLOT \"%s\" LOGICAL 0/0", argv[2]);
	PQclear(expect(connection, PQexec(connection, command), PGRES_COPY_BOTH));
	for (int i = 0; i < atoi(argv[3]) && PQgetCopyData(connection, &message, 0) > 0; i++)
		PQfreemem(message);
	if (PQputCopyEnd(connection, NULL) != 1 || PQflush(connection) < 0)
		return 1;
	while (PQgetCopyData(connection, &message, 0) > 0)
		PQfreemem(message);
	for (PGresult *result; (result = PQgetResult(connection));)
		PQclear(result);
	PGresult *result = expect(connection, PQexec(connection, argv[4]), PGRES_TUPLES_OK);
	puts(PQgetvalue(result, 0, 0));
	PQclear(result);
	PQfinish(connection);
	return 0;
}
