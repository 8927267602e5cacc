/*
 * hash.h - uthash, which ends the program where there is no memory for a table: here it says so first. Who can go on
 * without defines HASH_NONFATAL_OOM (the uthash guide, "Out of memory").
 */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

/* From any thread; whoever it ends is made for a kill at any moment. */
_Noreturn void hash_out_of_memory(void);

#define uthash_fatal(msg) hash_out_of_memory()
#include <uthash.h>

#endif
