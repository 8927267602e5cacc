/*
 * places.h - the arguments of a command that takes a fixed number of them, each with its place.
 */
#ifndef MIRROR_PLACES_H
#define MIRROR_PLACES_H

#include <argp.h>

/* argp's parser for them: argument n goes to *places[n]. `wanted` says what is to be given, for wrong usage. */
error_t places_parse(int key, char *arg, struct argp_state *state, const char **places[], unsigned count,
                     const char *wanted);

#endif
