int weft_x(int class);
