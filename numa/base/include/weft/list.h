/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An intrusive circular doubly linked list: the head is a link too, so nothing needs a special case. Not atomic:
 * one thread owns a list.
 */
#ifndef WEFT_LIST_H
#define WEFT_LIST_H

#include <weft/api.h>

struct weft_list {
	struct weft_list *next, *prev;
};

#define WEFT_CONTAINER_OF(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* Walks entries of `type`; the current one may be removed during its turn. */
#define WEFT_LIST_FOR_EACH(pos, head)                                                      \
	for (struct weft_list *pos = (head)->next, *pos##_next = pos->next; pos != (head); \
	     pos = pos##_next, pos##_next = pos->next)

/* An empty list, or a link that is on none. Thread: owner. */
static inline void weft_list_init(struct weft_list *head)
{
	head->next = head;
	head->prev = head;
}

/* Thread: owner. */
static inline bool weft_list_empty(const struct weft_list *head)
{
	return head->next == head;
}

/* Puts a link at the end; keeps it until removed. Thread: owner. */
static inline void weft_list_push_back(struct weft_list *head, struct weft_list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

/* Puts a link at the front; keeps it until removed. Thread: owner. */
static inline void weft_list_push_front(struct weft_list *head, struct weft_list *link)
{
	weft_list_push_back(head->next, link);
}

/* Takes a link off its list; harmless on one that is on none. Thread: owner. */
static inline void weft_list_remove(struct weft_list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	weft_list_init(link);
}

/* Takes the first link off, or NULL. Thread: owner. */
static inline struct weft_list *weft_list_pop_front(struct weft_list *head)
{
	struct weft_list *link = head->next;

	if (link == head)
		return NULL;
	weft_list_remove(link);
	return link;
}

#endif
