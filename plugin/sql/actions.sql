-- Every action, and the lines around them.
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

CREATE TABLE zzz (a text PRIMARY KEY, b text);
INSERT INTO zzz VALUES ('fox49', 'hen92'), ('fox61', NULL);
BEGIN;
DELETE FROM zzz WHERE a = 'fox61';
UPDATE zzz SET a = 'fox61', b = 'hen62' WHERE a = 'fox49';
COMMIT;
UPDATE zzz SET b = 'hen60';
UPDATE zzz SET a = a;
SELECT pg_logical_emit_message(true, 'note', 'to whom it may concern') IS NOT NULL;
TRUNCATE zzz;
SELECT * FROM lines();

-- ON CONFLICT
INSERT INTO zzz VALUES ('a', '1') ON CONFLICT (a) DO UPDATE SET b = 'never';
INSERT INTO zzz VALUES ('a', '1') ON CONFLICT (a) DO UPDATE SET b = 'seen';
INSERT INTO zzz VALUES ('a', '1') ON CONFLICT DO NOTHING;
SELECT * FROM rows();

-- COPY
COPY zzz FROM stdin;
b	2
c	\N
\.
SELECT * FROM rows();

-- Many lines in a message: separated by newlines, none at its end.
INSERT INTO zzz VALUES ('d', '4'), ('e', '5');
INSERT INTO zzz VALUES ('f', '6');
SELECT array_length(string_to_array(data, E'\n'), 1), right(data, 1) = E'\n' FROM pg_logical_slot_peek_changes('regress', NULL, NULL);
SELECT string_agg(data, E'\n') = (SELECT string_agg(data, E'\n') FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'batch-bytes', '0'))
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL);
SELECT string_agg(data, E'\n') = (SELECT string_agg(data, E'\n') FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'batch-bytes', '0'))
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'batch-bytes', '200');
SELECT count(*) FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'batch-bytes', '200');

-- The transaction's number, end and time are the server's own. (A LSN may lie behind a page header.)
BEGIN;
INSERT INTO zzz VALUES ('g', '7');
SELECT pg_current_xact_id() AS xid \gset
COMMIT;
SELECT pg_current_wal_insert_lsn() AS lsn \gset
SELECT data LIKE E'\\_xid\t' || :'xid' || E'\t\\_action\tcommit\tlsn\t%',
	:'lsn'::pg_lsn - substring(data FROM 'lsn\t(\S+)')::pg_lsn BETWEEN 0 AND 40,
	clock_timestamp() - substring(data FROM 'time\t(.*)')::timestamptz < interval '1 minute',
	lsn = substring(data FROM 'lsn\t(\S+)')::pg_lsn
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'batch-bytes', '0') WHERE data ~ 'commit';
SELECT count(DISTINCT substring(data FROM 'time\t(.*)')) FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'batch-bytes', '0')
	WHERE data ~ 'begin|commit';

DROP TABLE zzz;
SELECT FROM pg_drop_replication_slot('regress');
