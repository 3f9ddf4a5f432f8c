#include "target/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "target/kind.h"

enum {
	NOTE_LIMIT = FILE_LIMIT * 4, /* bytes of what was there before */
	LEAST_MS = 1000,	     /* that must be left to ask for anything */
	POLL_FIRST_MS = 100,	     /* between two looks, doubling ... */
	POLL_MOST_MS = 2000,	     /* ... to this */
	SECRET_LIMIT = 4096,
};

char *remote_before_name(const struct config_target *target)
{
	return string_format("rollback.%s.before", target->name);
}

static char *note_name(const struct config_target *target)
{
	return string_format("remote.%s.json", target->name);
}

static cJSON *object_load(const struct remote_order *order, const char *name)
{
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(NOTE_LIMIT);
	if (file_read_at(order->directory, order->where, name, &text, NULL) < 0)
		return NULL;
	cJSON *json = json_parse(buffer_text(&text), text.length);
	if (cJSON_IsObject(json))
		return json;
	cJSON_Delete(json);
	return NULL;
}

static int object_save(const struct remote_order *order, const char *name, const cJSON *object,
		       struct error *error)
{
	char *text = json_print(object, false);
	int result = file_write_at(order->directory, order->where, name, text, strlen(text),
				   &FILE_ACCESS(0600), FILE_SYNC, error);
	secret_free(text);
	return result;
}

cJSON *remote_note_load(const struct remote_order *order)
{
	CLEANUP(freep) char *name = note_name(order->target);
	cJSON *note = object_load(order, name);
	return note ? note : json_object();
}

int remote_note_save(const struct remote_order *order, const cJSON *note, struct error *error)
{
	CLEANUP(freep) char *name = note_name(order->target);
	return object_save(order, name, note, error);
}

int remote_time_left(const struct remote_order *order, int64_t *ret_left, struct error *error)
{
	int64_t left = order->deadline_ms - clock_monotonic_ms();
	if (left < LEAST_MS) {
		error_set(error, ERROR_TRANSIENT, -ETIMEDOUT,
			  "%s: the time for this delivery is over", order->target->name);
		return error_remedy(error, "give it more with `reload_timeout` of [target %s]",
				    order->target->name);
	}
	*ret_left = left;
	return 0;
}

int remote_secret_read(const char *path, const char *what, char **ret_secret, struct error *error)
{
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(SECRET_LIMIT);
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) {
		int code = -errno;
		error_set(error, ERROR_CONFIGURATION, code, "cannot open %s, %s: %s", what, path,
			  strerrordesc_np(-code));
		return error_remedy(error, code == -ENOENT
						   ? "write it to that file, with mode 0600"
						   : "make it readable to the agent's user");
	}
	mode_t forbidden = status.st_uid == 0 ? 037 : 077;
	if (S_ISREG(status.st_mode) && status.st_mode & forbidden) {
		error_set(error, ERROR_CONFIGURATION, -EPERM,
			  "%s, %s: mode %04o lets others read or change it", what, path,
			  (unsigned)(status.st_mode & 07777));
		return error_remedy(error,
				    "chmod 0600 %s (or root-owned, 0640 with the agent's group); "
				    "and make another one, as others could read this one",
				    path);
	}
	mode_t mode = 0;
	int result = file_read_linked_at(AT_FDCWD, path, path, &text, &mode, error);
	if (result < 0) {
		if (error)
			error->class = ERROR_CONFIGURATION;
		return result;
	}
	size_t length = text.length;
	while (length > 0 && (unsigned char)text.data[length - 1] <= ' ')
		length--;
	bool good = length > 0;
	for (size_t i = 0; i < length; i++)
		good = good && (unsigned char)text.data[i] > ' ' &&
		       (unsigned char)text.data[i] < 0x7f;
	if (!good) {
		error_set(error, ERROR_CONFIGURATION, -EINVAL, "%s, %s: %s", what, path,
			  length == 0 ? "the file is empty"
				      : "it holds more than one word on one line");
		return error_remedy(error, "the file must hold it alone, on one line, as it was "
					   "shown");
	}
	*ret_secret = string_copy_n(text.data, length);
	return 0;
}

/* Once, before anything is changed there. */
static int keep_before(const struct remote_operations *operations, const struct remote_order *order,
		       void *session, struct error *error)
{
	CLEANUP(freep) char *name = remote_before_name(order->target);
	struct file_stamp stamp;
	if (!operations->keep || !order->first ||
	    file_stamp_at(order->directory, name, &stamp) == 0)
		return 0;
	CLEANUP(cJSON_Deletep) cJSON *before = json_object();
	int result = operations->keep(session, before, error);
	return result < 0 ? result : object_save(order, name, before, error);
}

/* Looks until it is there: some platforms take a moment to say what they have taken. */
static int confirm(const struct remote_operations *operations, const struct remote_order *order,
		   void *session, struct error *error)
{
	enum remote_found found = REMOTE_OTHER;
	for (int64_t pause = POLL_FIRST_MS;;
	     pause = pause * 2 < POLL_MOST_MS ? pause * 2 : POLL_MOST_MS) {
		int result = operations->look(session, &found, error);
		if (result < 0 || found == REMOTE_WANTED)
			return result;
		if (clock_monotonic_ms() + pause + LEAST_MS >= order->deadline_ms)
			break;
		clock_sleep_ms(pause);
	}
	error_set(error, ERROR_DEPLOY, -ESTALE,
		  "%s took the new certificate, but goes on saying that it has another one",
		  order->target->name);
	return error_remedy(error, "look whether somebody else installs certificates there, too "
				   "(AutoSSL, another agent)");
}

static int place(const struct remote_operations *operations, const struct remote_order *order,
		 void *session, struct error *error)
{
	enum remote_found found = REMOTE_OTHER;
	int result = operations->look(session, &found, error);
	if (result < 0 || found == REMOTE_WANTED)
		return result;
	result = keep_before(operations, order, session, error);
	int64_t left = 0;
	if (result == 0)
		result = remote_time_left(order, &left, error);
	if (result < 0)
		return result;
	struct error lost = {0};
	result = operations->place(session, &lost);
	if (result < 0 && lost.outcome_unknown) {
		/* It may have been carried out all the same. */
		log_notice("%s: %s; looking whether it was done", order->target->name,
			   lost.message);
		if (operations->look(session, &found, error) == 0 && found == REMOTE_WANTED)
			return 0;
	}
	if (result < 0) {
		*error = lost;
		return result;
	}
	return confirm(operations, order, session, error);
}

static int go_back(const struct remote_operations *operations, const struct remote_order *order,
		   void *session, struct error *error)
{
	CLEANUP(freep) char *name = remote_before_name(order->target);
	CLEANUP(cJSON_Deletep) cJSON *before = object_load(order, name);
	return before ? operations->go_back(session, before, error) : 0;
}

int remote_deliver(const struct remote_order *order, struct error *error)
{
	const struct remote_operations *operations = target_kind(order->target->type)->remote;
	void *session = NULL;
	struct error found = {0};
	if (order->generation == 0 && !operations->go_back)
		return 0;
	int result = operations->open(order, &session, &found);
	if (result == 0)
		result = order->generation ? place(operations, order, session, &found)
					   : go_back(operations, order, session, &found);
	if (session)
		operations->close(session);
	if (result < 0 && error)
		*error = found;
	return result;
}

int remote_look(const struct remote_order *order, enum remote_found *ret_found, struct error *error)
{
	const struct remote_operations *operations = target_kind(order->target->type)->remote;
	void *session = NULL;
	int result = operations->open(order, &session, error);
	if (result == 0)
		result = operations->look(session, ret_found, error);
	if (session)
		operations->close(session);
	return result;
}
