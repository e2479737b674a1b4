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

/* One more row of the table, from the two before it: how far the first i letters of a are from each beginning of b. */
static void next_row(const char *a, unsigned int i, const char *b, unsigned int rows[3][LEN_MAX])
{
	unsigned int *row = rows[i % 3];
	const unsigned int *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

	row[0] = i;
	for (unsigned int j = 1; b[j - 1]; j++) {
		row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
		if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
			row[j] = least(row[j], before[j - 2] + 1);
	}
}

static unsigned int edit_distance(const char *a, const char *b)
{
	size_t a_len = strnlen(a, LEN_MAX), b_len = strnlen(b, LEN_MAX);
	unsigned int rows[3][LEN_MAX];

	if (a_len >= LEN_MAX || b_len >= LEN_MAX)
		return LEN_MAX;
	for (unsigned int j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (unsigned int i = 1; i <= a_len; i++)
		next_row(a, i, b, rows);
	return rows[a_len % 3][b_len];
}

const char *weft_nearest(const char *word, const char *const *words, unsigned int count)
{
	unsigned int len = (unsigned int)strnlen(word, LEN_MAX), nearest = len < 6 ? 1 : len / 3;
	const char *best = NULL;

	for (unsigned int i = 0; i < count; i++) {
		unsigned int distance = edit_distance(word, words[i]);

		if (best ? distance < nearest : distance <= nearest) {
			best = words[i];
			nearest = distance;
		}
	}
	return best;
}
