#include "postgres.h"

#include "nodes/parsenodes.h"
#include "nodes/value.h"
#include "utils/builtins.h"

#include "name.h"
#include "options.h"

/* With its header and the line that fills it, a message is to leave 8 KiB of 64: where less is free libpq makes its buffer
 * twice as large (pqReadData), and then copies half a message to its start for each. */
#define BATCH_BYTES_DEFAULT 56000
#define BATCH_BYTES_MAX (256 * 1024 * 1024)

static const char *text_of(DefElem *given)
{
	if (!given->arg)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("deltaflood: option \"%s\" needs a value", given->defname)));
	return strVal(given->arg);
}

static void refuse(DefElem *given, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
	                errmsg("deltaflood: invalid value for option \"%s\": \"%s\"", given->defname, text_of(given)),
	                errhint("%s", hint)));
}

static void parse_null(struct options *options, DefElem *given)
{
	const char *text = text_of(given);

	if (strpbrk(text, "\t\n\r"))
		refuse(given, "It is printed as it is, so it may not break the line.");
	options->null = pstrdup(text);
	options->null_len = (int)strlen(text);
}

static void parse_batch_bytes(struct options *options, DefElem *given)
{
	const char *text = text_of(given);
	Size digits = strspn(text, "0123456789");
	long bytes = digits > 0 && digits < 10 && !text[digits] ? atol(text) : -1;

	if (bytes < 0 || bytes > BATCH_BYTES_MAX)
		refuse(given, "A number of bytes from 0 to 268435456, without unit; 0 is one message per line.");
	options->batch_bytes = (int)bytes;
}

/* One part of the list, without its comma. */
static void add_table(struct options *options, DefElem *given, const char *part, Size len)
{
	char schema[NAME_RAW_MAX], table[NAME_RAW_MAX];
	struct table_name name;

	if (!name_split(part, len, schema, table) || strlen(schema) >= NAMEDATALEN || strlen(table) >= NAMEDATALEN)
		refuse(given, "Tables are named as \"a,b.c\": without the schema where that is public, "
		              "and with %, /, comma, dot and control characters written as %25, %2F, %2C, ...");
	memset(&name, 0, sizeof(name));
	strcpy(NameStr(name.schema), schema);
	strcpy(NameStr(name.table), table);
	hash_search(options->tables, &name, HASH_ENTER, NULL);
}

static void parse_tables(struct options *options, DefElem *given)
{
	HASHCTL ctl = {
	    .keysize = sizeof(struct table_name), .entrysize = sizeof(struct table_name), .hcxt = CurrentMemoryContext};

	if (options->tables)
		hash_destroy(options->tables);
	options->tables = hash_create("deltaflood tables", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (const char *part = text_of(given);;) {
		Size len = strcspn(part, ",");
		add_table(options, given, part, len);
		if (!part[len])
			return;
		part += len + 1;
	}
}

#define FLAG(name) offsetof(struct options, name)
static const struct known {
	const char *name;
	Size flag; /* where its bool is, for one that has no parser */
	void (*parse)(struct options *options, DefElem *given);
} known_options[] = {
    {"include-xids", FLAG(include_xids), NULL},
    {"skip-nulls", FLAG(skip_nulls), NULL},
    {"only-local", FLAG(only_local), NULL},
    {"tables", 0, parse_tables},
    {"null", 0, parse_null},
    {"convert-bool", FLAG(convert_bool), NULL},
    {"include-commit", FLAG(include_commit), NULL},
    {"include-schema", FLAG(include_schema), NULL},
    {"batch-bytes", 0, parse_batch_bytes},
};

static const struct known *find_known(DefElem *given)
{
	for (int i = 0; i < lengthof(known_options); i++)
		if (strcmp(known_options[i].name, given->defname) == 0)
			return &known_options[i];
	ereport(ERROR,
	        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("deltaflood: unknown option \"%s\"", given->defname),
	         errhint("Known are include-xids, skip-nulls, only-local, tables, null, convert-bool, "
	                 "include-commit, include-schema and batch-bytes.")));
}

/* Without a value it means true. */
static void parse_flag(bool *flag, DefElem *given)
{
	if (!given->arg)
		*flag = true;
	else if (!parse_bool(text_of(given), flag))
		refuse(given, "It is true or false.");
}

void options_parse(struct options *options, List *given, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	ListCell *cell;

	*options = (struct options){
	    .include_xids = true,
	    .convert_bool = true,
	    .include_commit = true,
	    .include_schema = true,
	    .null = "\\N",
	    .null_len = 2,
	    .batch_bytes = BATCH_BYTES_DEFAULT,
	};
	foreach (cell, given) {
		DefElem *element = lfirst(cell);
		const struct known *known = find_known(element);

		Assert(!element->arg || IsA(element->arg, String));
		if (known->parse)
			known->parse(options, element);
		else
			parse_flag((bool *)((char *)options + known->flag), element);
	}
	MemoryContextSwitchTo(old);
}

bool options_want(const struct options *options, const struct table_name *name)
{
	/* What `daystream init` keeps on the server, for people to look at. */
	if (!options->tables)
		return strcmp(NameStr(name->schema), "daystream") != 0;
	return hash_search(options->tables, name, HASH_FIND, NULL);
}
