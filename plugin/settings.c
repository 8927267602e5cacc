#include "postgres.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/pg_locale.h"

#include "settings.h"

static void pin(const char *name, const char *value)
{
	(void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

/* Compared first: small transactions come by the hundred thousand, and nearly all find them as they are to be. */
void settings_pin(void)
{
	if (DateStyle != USE_ISO_DATES || DateOrder != DATEORDER_MDY)
		pin("datestyle", "ISO, MDY");
	if (strcmp(pg_get_timezone_name(session_timezone), "UTC") != 0)
		pin("timezone", "UTC");
	if (IntervalStyle != INTSTYLE_POSTGRES)
		pin("intervalstyle", "postgres");
	/* From 1 on all print the shortest digits that read back as the same number. */
	if (extra_float_digits < 1)
		pin("extra_float_digits", "3");
	if (bytea_output != BYTEA_OUTPUT_HEX)
		pin("bytea_output", "hex");
	if (strcmp(locale_monetary, "C") != 0)
		pin("lc_monetary", "C");
	if (strcmp(namespace_search_path, "public") != 0)
		pin("search_path", "public");
	if (quote_all_identifiers)
		pin("quote_all_identifiers", "off");
}
