#include "hash.h"

#include <stdlib.h>
#include <unistd.h>

#include "log.h"

void hash_out_of_memory(void)
{
	log_error("out of memory");
	_exit(EXIT_FAILURE);
}
