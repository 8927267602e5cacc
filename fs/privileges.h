/*
 * privileges.h - which user works on a store where root starts a program.
 *
 * `user` of daystream.conf; else the store's owner; where that is root, the system's user
 * `daystream`, or, where there is none, `nobody`. `user = root`, or being no root, changes nothing.
 *
 * Nothing below a store is reached through its parent folders, which the user may not enter.
 * Before there are threads; a program has one user.
 */
#ifndef FS_PRIVILEGES_H
#define FS_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

struct privileges {
	bool drop; /* false: all goes on as who started the program */
	uid_t uid;
	gid_t gid;
	bool own_role; /* where nothing says which, the server's role is of the user's name, not of root's */
	char user[64], home[256];
};

/* Chooses for the store's folder `dirfd`; `user`: what daystream.conf says, "" for nothing.
 * -EINVAL: there is no such user. */
int privileges_choose(struct privileges *privileges, int dirfd, const char *user, struct err *err);

/* For what works beside the daemon: the store's owner, or root where that is root or `user` says root. */
int privileges_choose_owner(struct privileges *privileges, int dirfd, const char *user, struct err *err);

/* Drops nothing where that would break what root can do: where the user cannot connect to the server as
 * root can, or may not work on the store. Files of root's below `dirfd` become the user's else.
 * Returns whether `why` says why root has to stay, and the remedy. */
bool privileges_settle(struct privileges *privileges, int dirfd, const char *conninfo, struct err *why);

/* The two parts of that. May the user connect, or may root neither? False: `why`. */
bool privileges_connect(struct privileges *privileges, const char *conninfo, struct err *why);
/* Root's files below the folder become the user's; not those of others, nor behind links. */
int privileges_give(const struct privileges *privileges, int dirfd, struct err *err);

/* For a while: the user's rights, for what may hold things that the user has put there. */
int privileges_enter(const struct privileges *privileges, struct err *err);
int privileges_leave(const struct privileges *privileges, struct err *err);

/* For good, with the groups; the environment is the user's. */
int privileges_drop(const struct privileges *privileges, struct err *err);

#endif
