#include "as_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "name.h"

bool as_json_needs_shape(const struct line_head *head)
{
	return span_is(head->action, "insert") || span_is(head->action, "update") || span_is(head->action, "replace") ||
	       span_is(head->action, "delete");
}

/* Raw, with a NUL; to be freed. */
static char *raw(struct span value, size_t *len)
{
	char *text = malloc(value.len + 1);
	long n = text ? line_unescape(text, value) : -1;

	if (n < 0) {
		free(text);
		return NULL;
	}
	text[n] = 0;
	*len = (size_t)n;
	return text;
}

static bool add(struct json_object *object, const char *name, struct json_object *value)
{
	return value && json_object_object_add(object, name, value) == 0;
}

static bool add_null(struct json_object *object, const char *name)
{
	return json_object_object_add(object, name, NULL) == 0;
}

static bool add_raw(struct json_object *object, const char *name, struct span value, struct json_form type)
{
	size_t len;
	char *text = line_is_null(value) ? NULL : raw(value, &len);
	bool good =
	    line_is_null(value) ? add_null(object, name) : text && add(object, name, json_value(type, text, len));

	free(text);
	return good;
}

static bool add_text(struct json_object *object, const char *name, struct span value)
{
	return add_raw(object, name, value, (struct json_form){.kind = JSON_TEXT});
}

/* ---- rows ------------------------------------------------------------------ */

/* The column of that name; they come in order, though some may be absent. */
static struct json_form type_of(const struct shape *shape, const char *name, unsigned *next)
{
	unsigned count = shape->definition.column_count;

	for (unsigned i = 0; i < count; i++) {
		unsigned at = (*next + i) % count;
		if (strcmp(shape->definition.columns[at].name, name) == 0) {
			*next = at + 1;
			return shape->types[at];
		}
	}
	return (struct json_form){.kind = JSON_TEXT};
}

static struct json_object *row(struct span rest, const struct shape *shape)
{
	struct json_object *object = json_object_new_object();
	struct span name, value;
	unsigned next = 0;
	int more = 1;
	bool good = object;

	while (good && (more = line_next(&rest, &name, &value)) == 1) {
		size_t len;
		char *text = raw(name, &len);
		good = text && add_raw(object, text, value, type_of(shape, text, &next));
		free(text);
	}
	if (good && more == 0)
		return object;
	json_object_put(object);
	return NULL;
}

/* ---- definitions ------------------------------------------------------------ */

static const struct json_form number = {.kind = JSON_NUMBER};

/* Facts: pairs in a value. */
static bool add_facts(struct json_object *column, struct span value)
{
	size_t len;
	char *facts = raw(value, &len);
	struct span rest = {facts, len}, name, fact;
	int more = 1;
	bool good = facts;

	while (good && (more = line_next(&rest, &name, &fact)) == 1) {
		char *text = raw(name, &len);
		if (text && strcmp(text, "notnull") == 0 && span_is(fact, "1"))
			good = add(column, text, json_object_new_boolean(1));
		else if (text && (strcmp(text, "number") == 0 || strcmp(text, "pk") == 0))
			good = add_raw(column, text, fact, number);
		else
			good = text && add_text(column, text, fact);
		free(text);
	}
	free(facts);
	return good && more == 0;
}

static struct json_object *columns(struct span rest)
{
	struct json_object *list = json_object_new_array();
	struct span name, value;
	int more = 1;
	bool good = list;

	while (good && (more = line_next(&rest, &name, &value)) == 1) {
		struct json_object *column = json_object_new_object();
		good = column && add_text(column, "name", name) && add_facts(column, value) &&
		       json_object_array_add(list, column) == 0;
		if (!good)
			json_object_put(column);
	}
	if (good && more == 0)
		return list;
	json_object_put(list);
	return NULL;
}

/* "*", null, or the names of the columns. */
static bool add_key(struct json_object *object, struct span key)
{
	struct json_object *list;
	char name[NAME_RAW_MAX];
	size_t len;
	char *text = raw(key, &len);
	bool good = true;

	if (line_is_null(key) || !text || strcmp(text, "*") == 0) {
		good = line_is_null(key) ? add_null(object, "key") : text && add(object, "key", json_text("*", 1));
		free(text);
		return good;
	}
	good = (list = json_object_new_array()) && add(object, "key", list);
	for (const char *part = text; good; part += len + 1) {
		len = strcspn(part, ",");
		if (len == 3 && memcmp(part, "%2A", 3) == 0) /* bare, it is the whole row */
			strcpy(name, "*");
		else
			good = name_decode(name, part, len) > 0;
		good = good && json_object_array_add(list, json_text(name, strlen(name))) == 0;
		if (!part[len])
			break;
	}
	free(text);
	return good;
}

/* ---- lines ------------------------------------------------------------------ */

/* `commit`, `origin`, `message`, and what later versions may have. */
static bool add_pairs(struct json_object *object, struct span rest)
{
	struct span name, value;
	int more = 1;
	bool good = true;

	while (good && (more = line_next(&rest, &name, &value)) == 1) {
		size_t len;
		char *text = raw(name, &len);
		if (span_is(name, "time")) /* when exactly; `time` is the position's */
			good = add_raw(object, "committed", value, (struct json_form){.kind = JSON_TIMESTAMP});
		else if (span_is(name, "timeline") || span_is(name, "generation"))
			good = text && add_raw(object, text, value, number);
		else
			good = text && add_text(object, text, value);
		free(text);
	}
	return good && more == 0;
}

static bool add_head(struct json_object *object, const struct line_head *head)
{
	char at[POSITION_TEXT_MAX], second[40];
	time_t epoch = (time_t)head->position.epoch;
	struct tm tm;

	position_print(at, head->position);
	if (!gmtime_r(&epoch, &tm) || strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return false;
	if (!add(object, "position", json_text(at, strlen(at))) ||
	    !add(object, "time", json_text(second, strlen(second))))
		return false;
	if (head->table.at && !(head->schema.at ? add_text(object, "schema", head->schema)
	                                        : add(object, "schema", json_text("public", 6))))
		return false;
	return (!head->table.at || add_text(object, "table", head->table)) &&
	       (!head->xid.at || add_raw(object, "xid", head->xid, number)) && add_text(object, "action", head->action);
}

static bool add_rest(struct json_object *object, const struct line_head *head, const struct shape *shape)
{
	if (span_is(head->action, "insert") || span_is(head->action, "update"))
		return add(object, "row", row(head->pairs, shape));
	if (as_json_needs_shape(head))
		return add(object, "old", row(head->pairs, shape));
	if (span_is(head->action, "schema"))
		return add_raw(object, "relid", head->relid, number) && add_key(object, head->key) &&
		       add(object, "columns", columns(head->pairs));
	return add_pairs(object, head->pairs);
}

int as_json_line(struct json_object **object, const struct line_head *head, const struct shape *shape, struct err *err)
{
	char at[POSITION_TEXT_MAX];

	*object = json_object_new_object();
	if (*object && add_head(*object, head) && add_rest(*object, head, shape))
		return 0;
	json_object_put(*object);
	*object = NULL;
	return err_set(err, -EBADMSG, "the line %s cannot be told in JSON: it is none of the format, or memory is out",
	               position_print(at, head->position));
}

const char *as_json_print(struct json_object *object, size_t *len)
{
	return json_object_to_json_string_length(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, len);
}
