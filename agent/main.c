/* main.c - options to command. */
#include "base/paths.h"

#include <stdio.h>

int main(void)
{
	printf("origin-ca-agent %s\n", path_version);
	return 2;
}
