/* The moments of standard input's lines: "kind second fraction", or "refused"; for 94-moments.sh. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "moment.h"

int main(void)
{
	char line[1000];
	struct moment moment;

	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (moment_parse(&moment, line, NULL) < 0)
			puts("refused");
		else if (moment.kind == MOMENT_TIME)
			printf("%" PRIu64 " %d\n", moment.position.epoch, moment.fraction);
		else
			puts("no time");
	}
	return 0;
}
