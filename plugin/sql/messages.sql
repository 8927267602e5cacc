-- pg_logical_emit_message
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

SELECT FROM pg_logical_emit_message(true, 'plain', 'text');
SELECT FROM pg_logical_emit_message(true, '', '');
SELECT FROM pg_logical_emit_message(true, E'odd\t\\', E'tab\t line\n slash\\ \\N é ✓');
SELECT FROM pg_logical_emit_message(false, 'aside', 'is not part of a transaction');
SELECT FROM pg_logical_emit_message(true, 'binary', '\x00ff41'::bytea);
SELECT FROM pg_logical_emit_message(true, 'broken', 'ab'::bytea || '\xc3'::bytea);
SELECT FROM pg_logical_emit_message(true, 'text in bytes', 'é'::text::bytea);
BEGIN;
CREATE TABLE t (a int PRIMARY KEY);
SELECT FROM pg_logical_emit_message(true, 'first', '1');
INSERT INTO t VALUES (1);
SELECT FROM pg_logical_emit_message(false, 'aside', 'comes at once');
SELECT FROM pg_logical_emit_message(true, 'last', '2');
COMMIT;
BEGIN;
SELECT FROM pg_logical_emit_message(true, 'rolled', 'back');
ROLLBACK;
SELECT * FROM lines();

-- whatever the tables, and without numbers
SELECT FROM pg_logical_emit_message(true, 'plain', 'text');
INSERT INTO t VALUES (2);
SELECT * FROM lines('tables', 'other', 'include-xids', 'false');

-- the first format has none of daystream's own
SELECT FROM pg_logical_emit_message(true, 'plain', 'text');
SELECT FROM pg_logical_emit_message(true, 'daystream', 'snapshot 1:1:');
INSERT INTO t VALUES (3);
SELECT * FROM lines('include-xids', 'false', 'include-commit', 'false', 'include-schema', 'false');
DROP TABLE t;
SELECT FROM pg_drop_replication_slot('regress');
