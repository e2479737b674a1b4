/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzzer over the inputs that are kept for it, where libFuzzer is not there: PROGRAM DIRECTORY-OR-FILE...
 */
#include "fuzz.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static unsigned int input_count;

static int replay_file(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	FILE *file;
	uint8_t *data;
	size_t len_bytes;

	(void)walk;
	if (type != FTW_F)
		return 0;
	file = fopen(path, "rb");
	data = malloc((size_t)status->st_size + 1);
	if (!file || !data) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	len_bytes = fread(data, 1, (size_t)status->st_size, file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, len_bytes);
	free(data);
	input_count++;
	return 0;
}

int main(int argc, char **argv)
{
	LLVMFuzzerTestOneInput(NULL, 0);
	for (int i = 1; i < argc; i++)
		if (nftw(argv[i], replay_file, 16, FTW_PHYS) != 0) {
			fprintf(stderr, "cannot read %s\n", argv[i]);
			return 1;
		}
	printf("%u inputs\n", input_count);
	return 0;
}
