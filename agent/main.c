/* main.c - options to command. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/paths.h"
#include "commands/command.h"

enum option_code {
	OPTION_RENEW_NOW = 256,
	OPTION_JSON,
	OPTION_FORCE,
	OPTION_DRY_RUN,
	OPTION_YES,
	OPTION_ZONE,
	OPTION_NAME,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"renew-now", no_argument, NULL, OPTION_RENEW_NOW},
	{"json", no_argument, NULL, OPTION_JSON},
	{"force", no_argument, NULL, OPTION_FORCE},
	{"dry-run", no_argument, NULL, OPTION_DRY_RUN},
	{"yes", no_argument, NULL, OPTION_YES},
	{"zone", required_argument, NULL, OPTION_ZONE},
	{"name", required_argument, NULL, OPTION_NAME},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};

static int usage(FILE *out, int status)
{
	fprintf(out,
		"usage: origin-ca-agent [--config FILE] COMMAND [ARGUMENT...]\n"
		"       origin-ca-agent [--config FILE] --renew-now [NAME...]\n\n"
		"Keeps Cloudflare Origin CA certificates on this host's web servers alive.\n\n");
	for (size_t i = 0; i < command_count; i++)
		if (commands[i].synopsis)
			fprintf(out, "  %-7s %-12s %s\n", commands[i].name, commands[i].synopsis,
				commands[i].summary);
	fprintf(out,
		"\n"
		"  -c, --config FILE  instead of %s\n"
		"      --json         one JSON object on standard output\n"
		"      --dry-run      with renew, prune: say what would be done and why, do "
		"nothing\n"
		"      --force        with renew NAME...: issue anew though nothing is due;\n"
		"                     with revoke, prune: although something stands against it\n"
		"      --yes          with revoke: do not ask\n"
		"      --name NAME    with adopt: the [certificate NAME] that it is for\n"
		"      --zone ZONE    with list: name or id of a zone\n"
		"  -v, --verbose      more lines on standard error\n"
		"  -h, --help         this text\n"
		"      --version      the version\n"
		"\n"
		"Exit status: 0 all is current and verified, 1 something is not, 2 usage,\n"
		"3 configuration error (valid sections were still served), 4 another pass runs.\n",
		path_config_file);
	return status;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* What every command needs before it touches a key: no core dump, no file that others can read,
 * descriptors enough for many connections. */
static void harden(void)
{
	struct rlimit files;
	umask(077);
	prctl(PR_SET_DUMPABLE, 0);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 4096) {
		files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static bool options_taken(const struct command *command, const struct command_options *options)
{
	const struct {
		bool given;
		unsigned option;
		const char *name;
	} given[] = {
		{options->force, TAKES_FORCE, "force"},
		{options->dry_run, TAKES_DRY_RUN, "dry-run"},
		{options->yes, TAKES_YES, "yes"},
		{options->zone != NULL, TAKES_ZONE, "zone"},
		{options->name != NULL, TAKES_NAME, "name"},
	};
	bool taken = true;
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		if (given[i].given && !(command->takes & given[i].option)) {
			log_error("--%s does not go with %s; see --help", given[i].name,
				  command->name);
			taken = false;
		}
	return taken;
}

static int dispatch(const char *name, struct command_options *options)
{
	const struct command *command = find(name);
	if (!command) {
		log_error("there is no command \"%s\"; see --help", name);
		return PASS_EXIT_USAGE;
	}
	if (options->arguments.count < command->least || options->arguments.count > command->most) {
		log_error("usage: origin-ca-agent %s %s", command->name,
			  command->synopsis ? command->synopsis : "");
		return PASS_EXIT_USAGE;
	}
	if (!options_taken(command, options))
		return PASS_EXIT_USAGE;
	return command->run(options);
}

int main(int argc, char **argv)
{
	struct command_options options = {.config_path = path_config_file, .program = argv[0]};
	const char *name = NULL;
	enum log_level level = LOG_LEVEL_INFO;
	int code;

	harden();
	while ((code = getopt_long(argc, argv, "c:vh", long_options, NULL)) != -1) {
		switch (code) {
		case 'c':
			options.config_path = optarg;
			break;
		case OPTION_RENEW_NOW:
			name = "renew";
			break;
		case OPTION_JSON:
			options.json = true;
			break;
		case OPTION_FORCE:
			options.force = true;
			break;
		case OPTION_DRY_RUN:
			options.dry_run = true;
			break;
		case OPTION_YES:
			options.yes = true;
			break;
		case OPTION_ZONE:
			options.zone = optarg;
			break;
		case OPTION_NAME:
			options.name = optarg;
			break;
		case 'v':
			level = LOG_LEVEL_DEBUG;
			break;
		case 'h':
			return usage(stdout, PASS_EXIT_CURRENT);
		case OPTION_VERSION:
			printf("origin-ca-agent %s\n", path_version);
			return PASS_EXIT_CURRENT;
		default:
			return usage(stderr, PASS_EXIT_USAGE);
		}
	}
	log_open(level);
	if (!name && optind < argc)
		name = argv[optind++];
	if (!name)
		return usage(stderr, PASS_EXIT_USAGE);
	while (optind < argc)
		string_list_add(&options.arguments, argv[optind++]);

	int status = dispatch(name, &options);
	string_list_free(&options.arguments);
	return status;
}
