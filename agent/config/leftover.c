#include "config/leftover.h"

#include <string.h>

#include "base/memory.h"

bool leftover_name(const char *name)
{
	return name[0] == '.' || string_ends(name, "~") || string_ends(name, ".swp") ||
	       string_ends(name, ".tmp") || strstr(name, ".dpkg-") || strstr(name, ".rpm");
}
