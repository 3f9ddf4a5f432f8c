#include "target/kind.h"

#include <string.h>

static const char *const nginx_units[] = {"nginx.service"};
static const char *const apache_units[] = {"apache2.service", "httpd.service"};
static const char *const tomcat_units[] = {"tomcat10.service", "tomcat9.service", "tomcat.service"};
static const char *const haproxy_units[] = {"haproxy.service"};

static const char *const nginx_configuration[] = {"/etc/nginx", "/usr/local/nginx/conf",
						  "/usr/local/etc/nginx", NULL};
static const char *const apache_configuration[] = {
	"/etc/apache2", "/etc/httpd", "/usr/local/apache2/conf", "/usr/local/etc/apache24", NULL};
static const char *const tomcat_configuration[] = {"/etc/tomcat10", "/etc/tomcat9", "/etc/tomcat",
						   NULL};
static const char *const haproxy_configuration[] = {"/etc/haproxy", "/usr/local/etc/haproxy", NULL};

/* Debian's, that of Fedora and its relatives, SUSE's */
static const char *const apache_logs[] = {"/var/log/apache2/error.log", "/var/log/httpd/error_log",
					  "/var/log/apache2/error_log"};

#define ELSEWHERE                                                                                  \
	"`probe` must be the address of the origin itself, not of Cloudflare's edge or of "        \
	"another "                                                                                 \
	"server: "

static const struct target_kind kinds[] = {
	[TARGET_NGINX] =
		{
			.escape = TEMPLATE_ESCAPE_NGINX,
			.suffix = "conf",
			.units = nginx_units,
			.unit_count = ARRAY_SIZE(nginx_units),
			.configuration = nginx_configuration,
			.endures = true,
			.include = "`include %s;` in the server block of that name",
		},
	[TARGET_APACHE] =
		{
			.escape = TEMPLATE_ESCAPE_APACHE,
			.suffix = "conf",
			.units = apache_units,
			.unit_count = ARRAY_SIZE(apache_units),
			.configuration = apache_configuration,
			.logs = apache_logs,
			.log_count = ARRAY_SIZE(apache_logs),
			.include = "`Include %s` in the <VirtualHost> of that name",
		},
	[TARGET_TOMCAT] =
		{
			.escape = TEMPLATE_ESCAPE_XML,
			.suffix = "xml",
			.units = tomcat_units,
			.unit_count = ARRAY_SIZE(tomcat_units),
			.configuration = tomcat_configuration,
			.keystore = true,
			.read_at_start = true,
			.include = "%s as an external entity in the <Connector> of server.xml",
		},
	[TARGET_HAPROXY] =
		{
			.escape = TEMPLATE_ESCAPE_NONE,
			.suffix = "conf",
			.units = haproxy_units,
			.unit_count = ARRAY_SIZE(haproxy_units),
			.configuration = haproxy_configuration,
			.endures = true,
			.include = "`crt-list %s` in the bind line",
			.ask_why = "`haproxy -c -f /etc/haproxy/haproxy.cfg` tells why",
		},
	[TARGET_CUSTOM] =
		{
			.escape = TEMPLATE_ESCAPE_NONE,
			.suffix = "conf",
			.include = "%s in the server's configuration",
		},
	[TARGET_CPANEL] =
		{
			.escape = TEMPLATE_ESCAPE_NONE,
			.suffix = "conf",
			.include = "%s",
			.endures = true,
			.alone = true,
			.slow = true,
			.remote = &remote_cpanel,
			.elsewhere =
				ELSEWHERE "the host of `url` is the default; cPanel itself lists "
					  "the new certificate",
		},
	[TARGET_AWS_ACM] =
		{
			.escape = TEMPLATE_ESCAPE_NONE,
			.suffix = "conf",
			.include = "%s",
			.endures = true,
			.alone = true,
			.slow = true,
			.remote = &remote_aws_acm,
			.elsewhere =
				ELSEWHERE "write that of the load balancer, and give its HTTPS "
					  "listener the certificate's ARN",
		},
	[TARGET_IIS] =
		{
			.escape = TEMPLATE_ESCAPE_NONE,
			.suffix = "conf",
			.include = "%s",
			.endures = true,
			.keystore = true,
			.alone = true,
			.slow = true,
			.remote = &remote_iis,
			.elsewhere =
				ELSEWHERE "the files are in place, so look whether the binding "
					  "uses the Centralized Certificate Store, or whether "
					  "the script has been run",
		},
};

enum {
	LOOK_MS = 5000,
	LOOK_EACH_MS = 250, /* more for each hostname: far away one takes that long */
};

const struct target_kind *target_kind(enum target_type type)
{
	return &kinds[type];
}

bool target_keeps_before(enum target_type type)
{
	const struct remote_operations *remote = kinds[type].remote;
	return remote && remote->go_back;
}

bool target_unit_is_packaged(const char *unit)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (size_t j = 0; j < kinds[i].unit_count; j++)
			if (strcmp(kinds[i].units[j], unit) == 0)
				return true;
	return false;
}

char *target_include(enum target_type type, const char *path)
{
	const char *include = kinds[type].include;
	const char *place = strstr(include, "%s");
	return string_format("%.*s%s%s", (int)(place - include), include, path, place + 2);
}

int64_t target_look_ms(const struct config_target *target, size_t hostnames)
{
	int64_t whole = target->probe_timeout * 1000;
	int64_t look = LOOK_MS + (int64_t)hostnames * LOOK_EACH_MS;
	return target_kind(target->type)->slow && whole > look ? look : whole;
}
