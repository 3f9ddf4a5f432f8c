/* main.c - the supervisor's process: started by `origin-ca-agent run`, which names the rest. */
#include <getopt.h>
#include <stdio.h>

#include "base/log.h"
#include "supervisor/supervisor.h"

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"agent", required_argument, NULL, 'a'},
		{"config", required_argument, NULL, 'c'},
		{0},
	};
	struct supervisor supervisor = {0};
	int code;

	log_open(LOG_LEVEL_INFO);
	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == 'a')
			supervisor.agent = optarg;
		else if (code == 'c')
			supervisor.config_path = optarg;
		else
			return 2;
	}
	if (!supervisor.agent || !supervisor.config_path || optind < argc) {
		log_error("this is a part of origin-ca-agent; start it by `origin-ca-agent run`");
		return 2;
	}
	return supervisor_run(&supervisor);
}
