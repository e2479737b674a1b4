#include "../numa/private.h"
