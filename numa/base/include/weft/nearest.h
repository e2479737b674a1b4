/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody may have meant by a word that is not known: for errors that help.
 */
#ifndef WEFT_NEAREST_H
#define WEFT_NEAREST_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

/*
 * The one of count words that is nearest to word; of several the first; NULL when none is near. Near is what differs by one
 * slip for each three letters of word, and by one in a shorter word: a letter too many, too few, or wrong, or two neighbours
 * the wrong way round. Words of 32 bytes or more are near to none. Borrows; gives one of words. Thread: any.
 */
WEFT_API const char *weft_nearest(const char *word, const char *const *words, unsigned int count);

WEFT_END_DECLS

#endif
