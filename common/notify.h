/*
 * notify.h - tells systemd how a service is (sd_notify(3), whose protocol is one datagram; libsystemd-dev would tie the build to
 * the machine's exact systemd).
 */
#ifndef COMMON_NOTIFY_H
#define COMMON_NOTIFY_H

#include <stdbool.h>

/* Whether somebody wants to hear. */
bool notify_wanted(void);

/* Such as "READY=1". Nothing where nobody wants to hear; a message that does not get through is lost. */
void notify_send(const char *state);

#endif
