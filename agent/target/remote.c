#include "target/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "target/apart.h"
#include "target/kind.h"

#define LEFT_PID     "left_pid"
#define LEFT_STARTED "left_started"

enum {
	NOTE_LIMIT = FILE_LIMIT * 4, /* bytes of what was there before */
	LEAST_MS = 1000,	     /* that must be left to ask for anything */
	POLL_FIRST_MS = 100,	     /* between two looks, doubling ... */
	POLL_MOST_MS = 2000,	     /* ... to this */
	SECRET_LIMIT = 4096,
	CHECK_MS = 10 * 1000,
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

int remote_secret_file(const char *path, const char *what, struct buffer *text, struct error *error)
{
	/* O_NONBLOCK: a FIFO where a file should be must not hang us. What is looked at is what is
	 * read: the name may lead to another file a moment later. */
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
	int result = file_read_descriptor(fd, path, text, error);
	if (result < 0 && error)
		error->class = ERROR_CONFIGURATION;
	return result;
}

int remote_secret_read(const char *path, const char *what, char **ret_secret, struct error *error)
{
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(SECRET_LIMIT);
	int result = remote_secret_file(path, what, &text, error);
	if (result < 0)
		return result;
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

/* What one of the following has come to; it may come from another process. */
struct outcome {
	int result;
	enum remote_found found;
	struct error error;
};

static void deliver(void *context, void *answer)
{
	const struct remote_order *order = context;
	const struct remote_operations *operations = target_kind(order->target->type)->remote;
	struct outcome *outcome = answer;
	struct error *error = &outcome->error;
	void *session = NULL;
	int result = operations->open(order, &session, error);
	if (result == 0)
		result = order->generation ? place(operations, order, session, error)
					   : go_back(operations, order, session, error);
	if (session)
		operations->close(session);
	outcome->result = result;
}

static void look(void *context, void *answer)
{
	const struct remote_order *order = context;
	const struct remote_operations *operations = target_kind(order->target->type)->remote;
	struct outcome *outcome = answer;
	void *session = NULL;
	int result = operations->open(order, &session, &outcome->error);
	if (result == 0)
		result = operations->look(session, &outcome->found, &outcome->error);
	if (session)
		operations->close(session);
	outcome->result = result;
}

/* What the work came to, or why it did not come to an end. */
static int in_process(const struct apart *apart, pid_t *ret_left, struct outcome *outcome)
{
	struct error error = {0};
	int result = apart_run(apart, ret_left, &error);
	if (result == 0)
		return outcome->result;
	outcome->error = error;
	return result;
}

/* One that an earlier pass had to leave behind still hangs: another would only do the same. */
static int left_check(const cJSON *note, const char *where, struct error *error)
{
	int64_t pid = json_integer(note, LEFT_PID, 0);
	if (!apart_is_left((pid_t)pid, json_integer(note, LEFT_STARTED, 0)))
		return 0;
	error_set(error, ERROR_TRANSIENT, -ETIMEDOUT,
		  "%s does not answer: process %d of an earlier try still hangs in it", where,
		  (int)pid);
	return error_remedy(error,
			    "look whether the server of the share is up; `umount -f %s` frees what "
			    "hangs in it",
			    where);
}

/* A note that cannot be written costs another process that hangs, no more. */
static void left_note(const struct remote_order *order, cJSON *note, pid_t left)
{
	bool known = cJSON_GetObjectItemCaseSensitive(note, LEFT_PID) != NULL;
	cJSON_DeleteItemFromObjectCaseSensitive(note, LEFT_PID);
	cJSON_DeleteItemFromObjectCaseSensitive(note, LEFT_STARTED);
	if (left) {
		json_add_integer(note, LEFT_PID, left);
		json_add_integer(note, LEFT_STARTED, apart_started(left));
	}
	struct error error = {0};
	if ((left || known) && remote_note_save(order, note, &error) < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
}

/* Does the work, where it may hang for good in a process of its own. */
static int in_time(const struct remote_order *order, apart_work work, struct outcome *outcome,
		   struct error *error)
{
	const struct remote_operations *operations = target_kind(order->target->type)->remote;
	struct remote_order copy = *order; /* contexts are not const */
	if (!operations->share) {
		work(&copy, outcome);
	} else {
		const int descriptors[] = {order->snippets, order->directory};
		const struct apart apart = {
			.work = work,
			.context = &copy,
			.answer = outcome,
			.size = sizeof(*outcome),
			.descriptors = descriptors,
			.descriptor_count = ARRAY_SIZE(descriptors),
			.deadline_ms = order->deadline_ms,
			.where = operations->share(order->target),
		};
		CLEANUP(cJSON_Deletep) cJSON *note = remote_note_load(order);
		pid_t left = 0;
		outcome->result = left_check(note, apart.where, &outcome->error);
		if (outcome->result < 0)
			left = (pid_t)json_integer(note, LEFT_PID, 0);
		else
			outcome->result = in_process(&apart, &left, outcome);
		left_note(order, note, left);
	}
	if (outcome->result < 0 && error)
		*error = outcome->error;
	return outcome->result;
}

int remote_deliver(const struct remote_order *order, struct error *error)
{
	struct outcome outcome = {0};
	if (order->generation == 0 && !target_kind(order->target->type)->remote->go_back)
		return 0;
	return in_time(order, deliver, &outcome, error);
}

int remote_look(const struct remote_order *order, enum remote_found *ret_found, struct error *error)
{
	struct outcome outcome = {.found = *ret_found};
	int result = in_time(order, look, &outcome, error);
	*ret_found = outcome.found;
	return result;
}

static void check(void *context, void *answer)
{
	const struct config_target *target = context;
	struct outcome *outcome = answer;
	outcome->result = target_kind(target->type)->remote->check(target, &outcome->error);
}

int remote_check(const struct config_target *target, struct error *error)
{
	const struct remote_operations *operations = target_kind(target->type)->remote;
	struct outcome outcome = {0};
	struct config_target copy = *target; /* contexts are not const */
	pid_t left = 0;
	if (!operations->share)
		return operations->check(target, error);
	const struct apart apart = {
		.work = check,
		.context = &copy,
		.answer = &outcome,
		.size = sizeof(outcome),
		.deadline_ms = clock_monotonic_ms() + CHECK_MS,
		.where = operations->share(target),
	};
	int result = in_process(&apart, &left, &outcome);
	if (result < 0 && error)
		*error = outcome.error;
	return result;
}
