#include "base/event.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

const struct event_type event_types[EVENT_COUNT] = {
	[EVENT_NONE] = {.level = LOG_LEVEL_DEBUG},
	[EVENT_ISSUED] = {"issued", "f21bc6eed4d548ada31c1f24c5c69971", LOG_LEVEL_NOTICE,
			  "Cloudflare issued a certificate and it is stored as a new generation"},
	[EVENT_ADOPTED] = {"adopted", "790fefe588094ba8882ed737c9cb2524", LOG_LEVEL_NOTICE,
			   "a certificate that exists already was taken over as a new generation"},
	[EVENT_DERIVED] = {"derived", "3e545a5434c4469a82de249c4babc15e", LOG_LEVEL_NOTICE,
			   "other files were made of the same certificate, in a new generation"},
	[EVENT_RESUMED] = {"resumed", "9177680c9b3046819575930d7e468331", LOG_LEVEL_NOTICE,
			   "a generation was finished that an interrupted pass had begun"},
	[EVENT_REPAIRED] = {"repaired", "43ee7631fa554d7abec5c4cb43cb4bcd", LOG_LEVEL_NOTICE,
			    "owner, group or mode of a generation's files were put right"},
	[EVENT_DEPLOYED] = {"deployed", "b2aba082657a47bcbf9c45c223d66a87", LOG_LEVEL_NOTICE,
			    "a target serves the newest generation, as a handshake showed"},
	[EVENT_RECOVERED] = {"recovered", "d1c59e788fc54f7a90b74fed39db48b3", LOG_LEVEL_NOTICE,
			     "a certificate that had failed is current and verified again"},
	[EVENT_ROLLED_BACK] = {"rolled-back", "e705fc1c366d4a63a4d44ebe6d865f00", LOG_LEVEL_ERROR,
			       "a target did not take the newest generation and serves the former "
			       "one"},
	[EVENT_HELD] = {"held", "5e12f688e33c4260889d0d526143343b", LOG_LEVEL_ERROR,
			"a target keeps its generation because another one refused the newest"},
	[EVENT_EXPIRING] = {"expiring", "b29738b0563f461db278dc71f7ed3ea4", LOG_LEVEL_ERROR,
			    "a served certificate ends soon and its renewal does not succeed"},
	[EVENT_EXPIRED] = {"expired", "a7d81730fbfe4b7884a12fd82baf4436", LOG_LEVEL_CRITICAL,
			   "a served certificate has ended"},
	[EVENT_REVOKED] = {"revoked", "c6561e7e52654db89448879197016842", LOG_LEVEL_ERROR,
			   "a certificate was revoked at Cloudflare"},
	[EVENT_WITHDRAWN] = {"withdrawn", "4e54e62ecbbb4a18bc07778e9ad375ee", LOG_LEVEL_NOTICE,
			     "a certificate was revoked from here, on request or as superseded"},
	[EVENT_SSL_MODE] = {"ssl-mode", "bc628b28aa66492e8eaa683dc9c0e2a6", LOG_LEVEL_NOTICE,
			    "a zone or its hostnames were brought to Full (strict)"},
	[EVENT_STOPPED] = {"stopped", "eea2e661c5a74be0ba31733943113465", LOG_LEVEL_NOTICE,
			   "issuing was broken off because the agent was told to stop"},
	[EVENT_FAILED_TRANSIENT] = {"failed", "130a33bf08af4bb9ad4b52137229faac", LOG_LEVEL_ERROR,
				    "something failed that is expected to go away by itself"},
	[EVENT_FAILED_CONFIGURATION] = {"failed", "0140464f609f4de484e6bd7e566bb835",
					LOG_LEVEL_ERROR,
					"something failed because of what is configured"},
	[EVENT_FAILED_AUTHORIZATION] = {"failed", "e26bb185e6504438ac427555ee9b1531",
					LOG_LEVEL_ERROR,
					"something failed because of the API token"},
	[EVENT_FAILED_LOCAL] = {"failed", "f9bbaa8516d245d7ab63de99befd960a", LOG_LEVEL_ERROR,
				"something failed on this host: disk, permissions, memory"},
	[EVENT_FAILED_DEPLOY] = {"failed", "c8b124e3277847a9a69f39d2ac41d67e", LOG_LEVEL_ERROR,
				 "a server does not serve the newest generation"},
	[EVENT_FAILED_BUG] = {"failed", "4b6dcc98caac44d6bea672de1cce64ab", LOG_LEVEL_ERROR,
			      "something failed that should not be possible"},
	[EVENT_CONFIGURATION] = {"configuration", "f584ce8b4ea048a784b9b0aaa84ed8bd",
				 LOG_LEVEL_ERROR,
				 "a section of the configuration is wrong and is left out"},
	[EVENT_PASS_FAILED] = {"pass-failed", "aa224a87bfc34ffdae48eadf4b1c1295", LOG_LEVEL_ERROR,
			       "a pass crashed, hung or could not be started"},
	[EVENT_CLOCK] = {"clock", "51a810a9545c46a2a1fe29cc5892bcaf", LOG_LEVEL_ERROR,
			 "this host's clock is plainly wrong, and no certificate is asked for"},
	[EVENT_HOOK_FAILED] = {"hook-failed", "a6d5a0dfd6e344cfbddeb50a92c219e9", LOG_LEVEL_WARNING,
			       "event_hook failed or took too long"},
};

enum event_kind event_of_failure(enum error_class class)
{
	if (class < ERROR_TRANSIENT || class > ERROR_BUG)
		return EVENT_FAILED_BUG;
	return (enum event_kind)(EVENT_FAILED_TRANSIENT + (int)class - (int)ERROR_TRANSIENT);
}

enum event_kind event_find(const char *name)
{
	for (int kind = EVENT_NONE + 1; name && kind < EVENT_COUNT; kind++)
		if (strcmp(event_types[kind].name, name) == 0)
			return (enum event_kind)kind;
	return EVENT_NONE;
}

void event_free(struct event *event)
{
	free(event->certificate);
	free(event->target);
	free(event->serial);
	free(event->hostnames);
	free(event->message);
	free(event->remedy);
	free(event->text);
	free(event->alike);
	*event = (struct event){0};
}

char *event_ray(const char *message)
{
	static const char before[] = "CF-Ray ";
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ-";
	const char *at = message ? strstr(message, before) : NULL;
	size_t length = at ? strspn(at + strlen(before), letters) : 0;
	return length ? string_copy_n(at + strlen(before), length) : NULL;
}

static void add_field(struct string_list *fields, const char *name, const char *value)
{
	if (value && value[0])
		string_list_take(fields, string_format("%s=%s", name, value));
}

void event_fields(const struct event *event, struct string_list *fields)
{
	const struct event_type *type = &event_types[event->kind];
	CLEANUP(freep) char *ray = event_ray(event->message);
	add_field(fields, "MESSAGE_ID", type->message_id);
	add_field(fields, "ORIGIN_CA_EVENT", type->name);
	add_field(fields, "ORIGIN_CA_CERTIFICATE", event->certificate);
	add_field(fields, "ORIGIN_CA_TARGET", event->target);
	if (event->generation)
		string_list_take(fields,
				 string_format("ORIGIN_CA_GENERATION=%u", event->generation));
	add_field(fields, "ORIGIN_CA_SERIAL", event->serial);
	if (event->class != ERROR_NONE)
		add_field(fields, "ORIGIN_CA_CLASS", error_class_name(event->class));
	add_field(fields, "ORIGIN_CA_REMEDY", event->remedy);
	add_field(fields, "ORIGIN_CA_RAY", ray);
}

static void say(const struct event *event, const char *text)
{
	struct string_list fields = {0};
	event_fields(event, &fields);
	log_entry(event_types[event->kind].level, text, &fields);
	string_list_free(&fields);
}

void event_say(enum event_kind kind, const char *format, ...)
{
	char text[2 * ERROR_MESSAGE_SIZE];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	struct event event = {.kind = kind};
	say(&event, text);
}

void event_say_error(enum event_kind kind, const struct error *error)
{
	struct event event = {.kind = kind, .class = error->class};
	event.message = string_copy(error->message);
	const char *advice = error_advice(error);
	event.remedy = advice[0] ? string_copy(advice) : NULL;
	CLEANUP(freep)
	char *text = string_format("%s%s%s", error->message, advice[0] ? "; " : "", advice);
	say(&event, text);
	event_free(&event);
}
