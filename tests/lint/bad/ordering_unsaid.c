#include <stdatomic.h>
int load(_Atomic int *x) { return atomic_load_explicit(x, memory_order_acquire); }
