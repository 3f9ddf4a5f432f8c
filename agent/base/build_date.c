#include "base/clock.h"

const int64_t clock_build_date = ORIGIN_CA_BUILD_DATE;
