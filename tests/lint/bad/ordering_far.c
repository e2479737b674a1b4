/* pairs with the store */
int a;
int b;
int c;
int d;
int e;
int f;
int load(int *x) { return __atomic_load_n(x, __ATOMIC_SEQ_CST); }
