/* alike.h - whether two messages say the same, though numbers and ids in them differ. */
#ifndef ORIGIN_CA_BASE_ALIKE_H
#define ORIGIN_CA_BASE_ALIKE_H

#include <stdbool.h>

/* Compared without the words (of letters, digits and dashes) that have a digit in them: durations,
 * generations, ports, a CF-Ray. NULL is alike to NULL only. */
bool words_alike(const char *one, const char *other);

#endif
