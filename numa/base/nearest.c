/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nearest word by edit distance, one row at a time.
 */
#include <weft/nearest.h>

#include <string.h>

#define LEN_MAX 32

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int row[LEN_MAX], diagonal, above;
	size_t len = strnlen(b, LEN_MAX);

	if (len >= LEN_MAX || strnlen(a, LEN_MAX) >= LEN_MAX)
		return LEN_MAX;
	for (unsigned int j = 0; j <= len; j++)
		row[j] = j;
	for (unsigned int i = 1; a[i - 1]; i++) {
		diagonal = row[0];
		row[0] = i;
		for (unsigned int j = 1; j <= len; j++) {
			above = row[j];
			row[j] = least(least(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[len];
}

const char *weft_nearest(const char *word, const char *const *words, unsigned int count)
{
	const char *best = words[0];

	for (unsigned int i = 1; i < count; i++)
		if (edit_distance(word, words[i]) < edit_distance(word, best))
			best = words[i];
	return best;
}
