/* main.c - options to command. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/paths.h"
#include "commands/become.h"
#include "commands/command.h"

enum option_code {
	OPTION_RENEW_NOW = 256,
	OPTION_JSON,
	OPTION_FORCE,
	OPTION_DRY_RUN,
	OPTION_VERSION,
	OPTION_YES,
	OPTION_NAME,
	OPTION_HOSTNAMES,
	OPTION_TARGET,
	OPTION_TOKEN_FILE,
	OPTION_ENDPOINT,
	OPTION_CA_FILE,
	OPTION_ENABLE,
	OPTION_NO_ENABLE,
	OPTION_HTML,
	OPTION_WATCH,
	OPTION_ZONE,
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"renew-now", no_argument, NULL, OPTION_RENEW_NOW},
	{"json", no_argument, NULL, OPTION_JSON},
	{"force", no_argument, NULL, OPTION_FORCE},
	{"dry-run", no_argument, NULL, OPTION_DRY_RUN},
	{"html", no_argument, NULL, OPTION_HTML},
	{"watch", no_argument, NULL, OPTION_WATCH},
	{"zone", required_argument, NULL, OPTION_ZONE},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"yes", no_argument, NULL, OPTION_YES},
	{"name", required_argument, NULL, OPTION_NAME},
	{"hostnames", required_argument, NULL, OPTION_HOSTNAMES},
	{"target", required_argument, NULL, OPTION_TARGET},
	{"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
	{"endpoint", required_argument, NULL, OPTION_ENDPOINT},
	{"ca-file", required_argument, NULL, OPTION_CA_FILE},
	{"enable", no_argument, NULL, OPTION_ENABLE},
	{"no-enable", no_argument, NULL, OPTION_NO_ENABLE},
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
		"                     with revoke, prune, adopt: although something stands against "
		"it;\n"
		"                     with init: replace files that are there\n"
		"      --yes          with revoke: do not ask\n"
		"      --name NAME    with adopt: the [certificate NAME] that it is for\n"
		"      --zone ZONE    with list: name or id of a zone\n"
		"      --hostnames LIST, --name NAME, --target NAME, --token-file FILE (-: "
		"standard\n"
		"      input), --endpoint URL, --ca-file FILE, --enable, --no-enable, --yes\n"
		"                     with init: what it would ask for\n"
		"      --html         with status: a page, on standard output\n"
		"      --watch        with status: again whenever it changes, until q\n"
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
		{options->html, TAKES_PAGE, "html"},
		{options->watch, TAKES_PAGE, "watch"},
	};
	bool taken = true;
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		if (given[i].given && !(command->takes & given[i].option)) {
			log_error("--%s does not go with %s; see --help", given[i].name,
				  command->name);
			taken = false;
		}
	if (options->init.given && !(command->takes & TAKES_INIT)) {
		log_error(
			"--hostnames, --target, --token-file, --endpoint, --ca-file, --enable and "
			"--no-enable go with init only");
		taken = false;
	}
	return taken;
}

/* Root's command may go on in another directory. */
static char *absolute(const char *path)
{
	char directory[PATH_MAX];
	if (path[0] == '/' || !getcwd(directory, sizeof(directory)))
		return string_copy(path);
	return string_format("%s/%s", directory, path);
}

/* Before anything is read or written that is not root's alone. */
static int identity_choose(const struct command *command, const struct command_options *options,
			   struct config_token *token, struct error *error)
{
	bool makes = command->user == USER_MAKES && !options->dry_run;
	return command->user == USER_CALLER
		       ? 0
		       : become_owner(options->config_path, makes, token, error);
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
	struct config_token token = {0};
	struct error error = {0};
	int result = identity_choose(command, options, &token, &error);
	options->token = token.text || token.error.code ? &token : NULL;
	int status = result < 0 ? command_fail(options, PASS_EXIT_FAILED, &error)
				: command->run(options);
	options->token = NULL;
	become_forget(&token);
	return status;
}

/* True for an option of init's. */
static bool init_option(int code, struct init_options *init)
{
	switch (code) {
	case OPTION_HOSTNAMES:
		string_list_add(&init->hostnames, optarg);
		break;
	case OPTION_TARGET:
		string_list_add(&init->targets, optarg);
		break;
	case OPTION_TOKEN_FILE:
		init->token_file = optarg;
		break;
	case OPTION_ENDPOINT:
		init->endpoint = optarg;
		break;
	case OPTION_CA_FILE:
		init->ca_file = optarg;
		break;
	case OPTION_ENABLE:
		init->enable = true;
		break;
	case OPTION_NO_ENABLE:
		init->no_enable = true;
		break;
	default:
		return false;
	}
	init->given = true;
	return true;
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
		case OPTION_HTML:
			options.html = true;
			break;
		case OPTION_WATCH:
			options.watch = true;
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
			if (init_option(code, &options.init))
				break;
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

	CLEANUP(freep) char *path = absolute(options.config_path);
	options.config_path = path;
	int status = dispatch(name, &options);
	string_list_free(&options.arguments);
	string_list_free(&options.init.hostnames);
	string_list_free(&options.init.targets);
	return status;
}
