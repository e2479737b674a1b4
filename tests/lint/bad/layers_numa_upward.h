#include <weft/driver.h>
