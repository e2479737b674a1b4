/* Adds. */
WEFT_API int weft_add(int a,
		      int b);
