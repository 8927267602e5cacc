-- What all the others use. Each has its own slot, for the server drops temporary ones at any error.

-- The lines since the last call, with what differs from run to run masked.
CREATE FUNCTION lines(VARIADIC options text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT replace(
		regexp_replace(
		regexp_replace(
		regexp_replace(
		regexp_replace(
		regexp_replace(data, '((labels|parts)\\t|,)\d+([=:])', '\1OID\3', 'g'), '_xid\t\d+', E'_xid\tN', 'g'),
			'_relid\t\d+', E'_relid\tOID', 'g'),
			'lsn\t[0-9A-F]+/[0-9A-F]+', E'lsn\tL', 'g'),
			'time\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00', E'time\tT', 'g'),
		repeat('x', 3000), '<3000 x>')
	FROM pg_logical_slot_get_changes('regress', NULL, NULL, VARIADIC ARRAY['batch-bytes', '0'] || options)
$$;

-- The same without begin and commit.
CREATE FUNCTION changes(VARIADIC options text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT * FROM lines(VARIADIC ARRAY['include-commit', 'false'] || options)
$$;

-- What a reader that knows the definitions already gets.
CREATE FUNCTION rows(VARIADIC options text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT * FROM changes(VARIADIC ARRAY['include-schema', 'false'] || options)
$$;
