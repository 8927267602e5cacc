-- A prepared transaction is one as any other, when and if it commits. (The other expected file
-- is for servers with max_prepared_transactions = 0.)
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

CREATE TABLE t (a int PRIMARY KEY);
BEGIN;
INSERT INTO t VALUES (1);
SELECT pg_current_xact_id() AS xid \gset
PREPARE TRANSACTION 'deltaflood_1';
BEGIN;
INSERT INTO t VALUES (2);
PREPARE TRANSACTION 'deltaflood_2';
SELECT * FROM lines();
INSERT INTO t VALUES (3);
COMMIT PREPARED 'deltaflood_1';
ROLLBACK PREPARED 'deltaflood_2';
SELECT substring(data FROM '_xid\t(\d+)') = :'xid' FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'batch-bytes', '0')
	WHERE data ~ 'commit';
SELECT * FROM lines();
DROP TABLE t;
SELECT FROM pg_drop_replication_slot('regress');
