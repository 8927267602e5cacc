/* What a `schema` line says, and the schema sample of docs/FORMAT.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "definition.h"
#include "sample.h"

#define HEAD(key) "_table\tt\t_xid\t7\t_relid\t16384\t_key\t" key "\t_action\tschema"
#define A "\ta\tnumber\\t1\\ttype\\tinteger\\tnotnull\\t1\\tpk\\t1"
#define B "\tb\tnumber\\t2\\ttype\\ttext"

static int parse(const char *line, struct definition *def)
{
	struct line_head head;
	struct err err = {""};

	assert_true(line_parse(line, strlen(line), &head));
	int code = definition_parse(def, &head, &err);
	assert_int_equal(code == 0, err.text[0] == 0);
	return code;
}

static void refused(const char *line)
{
	struct definition def;

	if (parse(line, &def) != -EBADMSG)
		fail_msg("taken: %s", line);
	definition_fini(&def);
}

static void the_schema_sample_of_the_format_page_is_read(void **state)
{
	char *line = sample_read("schema");
	struct definition def;

	(void)state;
	line[strcspn(line, "\n")] = 0;
	assert_int_equal(parse(line, &def), 0);
	assert_string_equal(def.schema, "public");
	assert_string_equal(def.table, "zzz");
	assert_int_equal(def.relid, 16384);
	assert_int_equal(def.identity, IDENTITY_KEY);
	assert_int_equal(def.key_count, 1);
	assert_int_equal(def.column_count, 2);
	assert_string_equal(def.columns[0].name, "a");
	assert_string_equal(def.columns[0].type, "text");
	assert_true(def.columns[0].number == 1 && def.columns[0].key == 1 && def.columns[0].pk == 1);
	assert_true(def.columns[0].not_null);
	assert_string_equal(def.columns[1].name, "b");
	assert_true(def.columns[1].number == 2 && def.columns[1].key == 0 && def.columns[1].pk == 0);
	assert_false(def.columns[1].not_null);
	assert_null(def.columns[1].missing);
	definition_fini(&def);
	free(line);
}

static void the_identity_keeps_its_own_column_order(void **state)
{
	struct definition def;

	(void)state;
	assert_int_equal(parse(HEAD("b,a") A B, &def), 0);
	assert_int_equal(def.key_count, 2);
	assert_int_equal(def.columns[0].key, 2);
	assert_int_equal(def.columns[1].key, 1);
	definition_fini(&def);
}

static void a_star_is_the_whole_row_and_null_is_no_identity(void **state)
{
	struct definition def;

	(void)state;
	assert_int_equal(parse(HEAD("*") A B, &def), 0);
	assert_int_equal(def.identity, IDENTITY_FULL);
	assert_int_equal(def.key_count, 0);
	definition_fini(&def);
	assert_int_equal(parse(HEAD("\\N") A B, &def), 0);
	assert_int_equal(def.identity, IDENTITY_NONE);
	definition_fini(&def);
}

static void odd_column_names_may_be_keys(void **state)
{
	struct definition def;

	(void)state;
	assert_int_equal(parse(HEAD("%2A") "\t*\tnumber\\t1\\ttype\\ttext", &def), 0);
	assert_int_equal(def.identity, IDENTITY_KEY);
	assert_string_equal(def.columns[0].name, "*");
	assert_int_equal(def.columns[0].key, 1);
	definition_fini(&def);

	assert_int_equal(
	    parse(HEAD("a%2Cb,%2Dc") "\ta,b\tnumber\\t1\\ttype\\ttext\t-c\tnumber\\t2\\ttype\\ttext", &def), 0);
	assert_int_equal(def.columns[0].key, 1);
	assert_int_equal(def.columns[1].key, 2);
	definition_fini(&def);

	/* A tab is %09 in the list and \t as a name; a backslash is escaped in both. */
	assert_int_equal(parse(HEAD("x%09\\\\") "\tx\\t\\\\\tnumber\\t1\\ttype\\ttext", &def), 0);
	assert_string_equal(def.columns[0].name, "x\t\\");
	assert_int_equal(def.columns[0].key, 1);
	definition_fini(&def);
}

static void a_bare_star_among_other_keys_is_refused(void **state)
{
	(void)state;
	refused(HEAD("*,a") "\t*\tnumber\\t1\\ttype\\ttext" B A);
	refused(HEAD("a,*") "\t*\tnumber\\t3\\ttype\\ttext" A);
}

static void facts_are_unescaped_twice(void **state)
{
	struct definition def;

	(void)state;
	assert_int_equal(parse(HEAD("\\N") "\tb\tnumber\\t2\\ttype\\ttext\\tmissing\\ta\\\\\\\\b\\\\tc", &def), 0);
	assert_string_equal(def.columns[0].missing, "a\\b\tc");
	definition_fini(&def);
}

static void a_domain_shows_its_base_type(void **state)
{
	struct definition def;

	(void)state;
	assert_int_equal(parse(HEAD("\\N") "\tb\tnumber\\t2\\ttype\\temail\\tbase\\ttext" A, &def), 0);
	assert_string_equal(def.columns[0].type, "email");
	assert_string_equal(def.columns[0].base, "text");
	assert_string_equal(def.columns[1].base, "integer");
	definition_fini(&def);
}

static void an_empty_default_is_not_an_absent_one(void **state)
{
	struct definition def;

	(void)state;
	assert_int_equal(parse(HEAD("\\N") "\tb\tnumber\\t2\\ttype\\ttext\\tmissing\\t", &def), 0);
	assert_non_null(def.columns[0].missing);
	assert_string_equal(def.columns[0].missing, "");
	definition_fini(&def);
}

static void unknown_facts_are_passed_over(void **state)
{
	struct definition def;

	(void)state;
	assert_int_equal(parse(HEAD("a") A "\\tcolour\\tred\\tnotnull2\\t1", &def), 0);
	assert_int_equal(def.column_count, 1);
	definition_fini(&def);
}

static void a_table_may_have_no_columns(void **state)
{
	struct definition def;

	(void)state;
	assert_int_equal(parse(HEAD("\\N"), &def), 0);
	assert_int_equal(def.column_count, 0);
	definition_fini(&def);
	assert_int_equal(parse(HEAD("*"), &def), 0);
	definition_fini(&def);
	refused(HEAD("a"));
}

static void a_schema_other_than_public_is_named(void **state)
{
	struct definition def;

	(void)state;
	assert_int_equal(parse("_schema\tsa\\tles\t" HEAD("a") A, &def), 0);
	assert_string_equal(def.schema, "sa\tles");
	definition_fini(&def);
}

static void a_line_without_table_relid_or_key_is_refused(void **state)
{
	(void)state;
	refused("_relid\t16384\t_key\ta\t_action\tschema" A);
	refused("_table\tt\t_key\ta\t_action\tschema" A);
	refused("_table\tt\t_relid\t16384\t_action\tschema" A);
	refused("_table\t\t_relid\t16384\t_key\ta\t_action\tschema" A);
	refused("_table\t\\N\t_relid\t16384\t_key\ta\t_action\tschema" A);
}

static void a_relid_is_an_oid(void **state)
{
	struct definition def;

	(void)state;
	refused("_table\tt\t_relid\t0\t_key\ta\t_action\tschema" A);
	refused("_table\tt\t_relid\t\t_key\ta\t_action\tschema" A);
	refused("_table\tt\t_relid\t4294967296\t_key\ta\t_action\tschema" A);
	refused("_table\tt\t_relid\t12x\t_key\ta\t_action\tschema" A);
	assert_int_equal(parse("_table\tt\t_relid\t4294967295\t_key\ta\t_action\tschema" A, &def), 0);
	assert_true(def.relid == UINT32_MAX);
	definition_fini(&def);
}

static void keys_that_are_no_columns_or_doubled_are_refused(void **state)
{
	(void)state;
	refused(HEAD("c") A B);
	refused(HEAD("a,a") A B);
	refused(HEAD("a,") A B);
	refused(HEAD(",a") A B);
	refused(HEAD("") A B);
	refused(HEAD("%61") A B);
	refused(HEAD("\\\\N") A B);
}

static void columns_without_number_or_type_are_refused(void **state)
{
	(void)state;
	refused(HEAD("\\N") "\ta\t");
	refused(HEAD("\\N") "\ta\ttype\\ttext");
	refused(HEAD("\\N") "\ta\tnumber\\t1");
	refused(HEAD("\\N") "\ta\tnumber\\t0\\ttype\\ttext");
	refused(HEAD("\\N") "\ta\tnumber\\t01\\ttype\\ttext");
	refused(HEAD("\\N") "\ta\tnumber\\t65536\\ttype\\ttext");
	refused(HEAD("\\N") "\ta\tnumber\\t1\\ttype");
	refused(HEAD("\\N") "\ta\tnumber\\t1\\ttype\\ttext\\tpk\\tx");
	refused(HEAD("\\N") "\ta\t\\N");
	refused(HEAD("\\N") "\ta");
	refused(HEAD("\\N") "\ta\tnumber\\t1\\ttype\\ttext\\q");
}

static void doubled_column_names_are_refused(void **state)
{
	(void)state;
	refused(HEAD("\\N") A A);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_schema_sample_of_the_format_page_is_read),
	    cmocka_unit_test(the_identity_keeps_its_own_column_order),
	    cmocka_unit_test(a_star_is_the_whole_row_and_null_is_no_identity),
	    cmocka_unit_test(odd_column_names_may_be_keys),
	    cmocka_unit_test(a_bare_star_among_other_keys_is_refused),
	    cmocka_unit_test(facts_are_unescaped_twice),
	    cmocka_unit_test(a_domain_shows_its_base_type),
	    cmocka_unit_test(an_empty_default_is_not_an_absent_one),
	    cmocka_unit_test(unknown_facts_are_passed_over),
	    cmocka_unit_test(a_table_may_have_no_columns),
	    cmocka_unit_test(a_schema_other_than_public_is_named),
	    cmocka_unit_test(a_line_without_table_relid_or_key_is_refused),
	    cmocka_unit_test(a_relid_is_an_oid),
	    cmocka_unit_test(keys_that_are_no_columns_or_doubled_are_refused),
	    cmocka_unit_test(columns_without_number_or_type_are_refused),
	    cmocka_unit_test(doubled_column_names_are_refused),
	};

	return cmocka_run_group_tests_name("definition", tests, NULL, NULL);
}
