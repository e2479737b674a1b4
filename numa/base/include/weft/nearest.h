/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody may have meant by a word that is not known: for errors that help.
 */
#ifndef WEFT_NEAREST_H
#define WEFT_NEAREST_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

/*
 * The one of count words, at least one, that differs least from word: the first of them by Levenshtein's distance (1966).
 * Words of 32 bytes or more count as far. Borrows; gives one of words. Thread: any.
 */
WEFT_API const char *weft_nearest(const char *word, const char *const *words, unsigned int count);

WEFT_END_DECLS

#endif
