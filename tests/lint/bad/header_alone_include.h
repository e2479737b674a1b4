static inline size_t weft_size(void) { return 1; }
