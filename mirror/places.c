#include "places.h"

error_t places_parse(int key, char *arg, struct argp_state *state, const char **places[], unsigned count,
                     const char *wanted)
{
	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num >= count)
			argp_error(state, "too many arguments: %s", arg);
		*places[state->arg_num] = arg;
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < count)
			argp_error(state, "give %s", wanted);
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}
