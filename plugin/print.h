/*
 * print.h - the commonest values as their types' output functions print them, straight onto the line: a call, an
 * allocation and a copy less for each. sql/values.sql compares them with those.
 *
 * All return false, with nothing appended, for what is left to the type's own function.
 */
#ifndef DELTAFLOOD_PRINT_H
#define DELTAFLOOD_PRINT_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/date.h"
#include "utils/uuid.h"

/* Where dates are ISO: years of four digits. With zone, where that is UTC. */
bool print_date(StringInfo out, DateADT date);
bool print_timestamp(StringInfo out, Timestamp time, bool with_zone);

/* A numeric as it is stored, which is plain and of no great size; NaN is not, nor is infinity. */
bool print_numeric(StringInfo out, Datum value);

void print_uuid(StringInfo out, const pg_uuid_t *uuid);

#endif
