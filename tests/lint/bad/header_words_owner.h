/* Opens. Thread: any. */
WEFT_API int weft_thing_open(struct weft_thing **out);
