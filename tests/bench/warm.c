/*
 * warm MEGABYTES: touches so much memory and gives it back. In a virtual machine, a page that went back to its host (some
 * two seconds after it was freed) costs microseconds when somebody first touches it again: without this, whoever comes
 * first pays for what the turn before has freed.
 */
#include <sys/mman.h>

#include "ticks.h"

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: warm MEGABYTES\n");
		return 2;
	}
	if (mmap(NULL, strtoul(argv[1], NULL, 10) << 20, PROT_READ | PROT_WRITE,
	         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
		ticks_die("mapping memory");
	return 0;
}
