/*
 * replay.c - runs a fuzzer over files, without libFuzzer: its corpus is a test
 * under any compiler. Prints TAP, one assertion for each file; a finding ends
 * the program, which the plan at the end then shows.
 *
 *     fuzz_line tests/fuzz/corpus/fuzz_line     folders or files
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count;

static int run_file(const char *path)
{
	struct stat st;
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	int code = -1;

	if (file && fstat(fileno(file), &st) == 0) {
		size_t size = (size_t)st.st_size;
		data = malloc(size ? size : 1);
		if (data && fread(data, 1, size, file) == size) {
			fflush(stdout);
			code = LLVMFuzzerTestOneInput(data, size);
			printf("ok %d - %s\n", ++count, path);
		}
	}
	if (code < 0)
		perror(path);
	if (file)
		fclose(file);
	free(data);
	return code;
}

static int run(const char *path)
{
	struct dirent **entries;
	struct stat st;
	int code = 0;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return run_file(path);
	int n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char inner[4096];
		snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && code == 0)
			code = run(inner);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return n < 0 ? -1 : code;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (run(argv[i]) < 0)
			return 1;
	printf("1..%d\n", count);
	return 0;
}
