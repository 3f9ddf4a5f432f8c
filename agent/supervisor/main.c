/* main.c - the supervisor's process: started by `origin-ca-agent run`, which names the rest. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/log.h"
#include "supervisor/supervisor.h"

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"agent", required_argument, NULL, 'a'},
		{"config", required_argument, NULL, 'c'},
		{"ended", no_argument, NULL, 'e'},
		{0},
	};
	struct supervisor supervisor = {0};
	bool ended = false;
	int code;

	log_open(LOG_LEVEL_INFO);
	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == 'a')
			supervisor.agent = optarg;
		else if (code == 'c')
			supervisor.config_path = optarg;
		else if (code == 'e')
			ended = true;
		else
			return 2;
	}
	if (ended && supervisor.config_path && optind == argc)
		return supervisor_once_ended(&supervisor);
	if (!supervisor.agent || !supervisor.config_path || optind < argc) {
		log_error("this is a part of origin-ca-agent; start it by `origin-ca-agent run`");
		return 2;
	}
	return supervisor_run(&supervisor);
}
