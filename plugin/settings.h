/*
 * settings.h - the session settings that the text of a value depends on.
 */
#ifndef DELTAFLOOD_SETTINGS_H
#define DELTAFLOOD_SETTINGS_H

/* Pins them until the decoded transaction ends: to be called in the begin
 * callback, that is inside the (sub)transaction which the server opens around
 * each transaction it decodes, and always aborts. So nothing is left behind
 * in a session that calls pg_logical_slot_get_changes. Called outside of any
 * transaction, as a walsender starts, it pins them for the session, and each
 * transaction pays for the comparisons only. Throws nothing that could be
 * handled. */
void settings_pin(void);

#endif
