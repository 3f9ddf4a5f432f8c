/*
 * iis.c - Microsoft IIS, by files in a directory that is a mounted share: for IIS 8 and later one
 * PFX file per name, as its Centralized Certificate Store reads them; for all others one PFX file
 * and a script that configuration management runs there. The handshake tells when it has been.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "pki/export.h"
#include "target/keystore.h"
#include "target/remote.h"
#include "target/snippet.h"
#include "target/template.h"

struct session {
	const struct remote_order *order;
	int directory;		  /* where the files are placed */
	struct string_list files; /* names there; in the order in which they are placed */
	struct buffer pfx;
	struct buffer script; /* for IIS_SCRIPT */
};

static const char *delivery_name(const struct config_remote *remote)
{
	return remote->delivery == IIS_SCRIPT ? "script" : "central-store";
}

static void describe(const struct config_target *target, struct string_list *lines)
{
	const struct config_remote *remote = &target->remote;
	string_list_take(lines, string_format("directory = %s", remote->directory));
	string_list_take(lines, string_format("delivery = %s", delivery_name(remote)));
	string_list_take(lines,
			 string_format("keystore_encryption = %s",
				       remote->encryption == KEYSTORE_3DES ? "3des" : "aes256"));
}

static int directory_open(const struct config_target *target, int *ret_fd, struct error *error)
{
	const char *path = target->remote.directory;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	int code = -errno;
	/* A share that is away comes back by itself; one that nobody mounted does not. */
	bool away = code == -EHOSTDOWN || code == -ENOTCONN || code == -ESTALE || code == -EIO ||
		    code == -EHOSTUNREACH || code == -ETIMEDOUT;
	error_set(error,
		  away		    ? ERROR_TRANSIENT
		  : code == -EACCES ? ERROR_LOCAL
				    : ERROR_CONFIGURATION,
		  code, "cannot open the directory %s of target %s: %s", path, target->name,
		  strerrordesc_np(-code));
	return error_remedy(error, code == -EACCES
					   ? "let the agent's user into it (mount options uid=, "
					     "gid=, and the share's permissions)"
					   : "mount the share there; the agent does not make the "
					     "directory, so that nothing is written below a share "
					     "that is not mounted");
}

static int check(const struct config_target *target, struct error *error)
{
	CLEANUP(closep) int fd = -1;
	char *password = NULL;
	int result = export_password_read(target->remote.password_file, &password, error);
	secret_free(password);
	if (result == 0)
		result = directory_open(target, &fd, error);
	if (result == 0 && faccessat(fd, ".", W_OK, AT_EACCESS) < 0) {
		error_errno(error, -errno, "%s", target->remote.directory);
		result = error_remedy(error, "let the agent's user write to it");
	}
	return result;
}

static void session_close(void *opened)
{
	struct session *session = opened;
	closep(&session->directory);
	string_list_free(&session->files);
	buffer_wipe(&session->pfx);
	buffer_wipe(&session->script);
	free(session);
}
DEFINE_CLEANUP(struct session *, session_close)

/* What the store looks for: "www.example.com.pfx", and "_.example.com.pfx" for a wildcard. */
static void files_name(struct session *session)
{
	const struct config_certificate *certificate = session->order->certificate;
	if (session->order->target->remote.delivery == IIS_SCRIPT) {
		/* The script last: who runs it finds the file that it is for. */
		string_list_take(&session->files, string_format("%s.pfx", certificate->name));
		string_list_take(&session->files, string_format("%s.ps1", certificate->name));
		return;
	}
	for (size_t i = 0; i < certificate->hostnames.count; i++) {
		const char *name = certificate->hostnames.items[i];
		bool wildcard = string_starts(name, "*.");
		string_list_take(&session->files, string_format("%s%s.pfx", wildcard ? "_" : "",
								wildcard ? name + 1 : name));
	}
}

static int session_open(const struct remote_order *order, void **ret_session, struct error *error)
{
	const struct config_target *target = order->target;
	CLEANUP(session_closep) struct session *session = memory_alloc(1, sizeof(*session));
	CLEANUP(freep) char *keystore = keystore_file_name(order->certificate);
	CLEANUP(freep) char *snippet = snippet_file_name(target, order->certificate);
	session->order = order;
	session->directory = -1;
	session->pfx = BUFFER(FILE_LIMIT);
	session->script = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	files_name(session);
	/* Both are in place here already: the keystore beside the snippet, and the snippet. */
	int result =
		file_read_at(order->snippets, target->snippet_dir, keystore, &session->pfx, error);
	if (result == 0)
		result = snippet_read(order->snippets, target, snippet, &session->script, error);
	if (result == 0)
		result = directory_open(target, &session->directory, error);
	if (result == 0)
		*ret_session = TAKE_PTR(session);
	return result;
}

static const struct buffer *content_of(const struct session *session, const char *file)
{
	return string_ends(file, ".ps1") ? &session->script : &session->pfx;
}

/* A file there, "" when there is none. */
static int file_look(const struct session *session, const char *file, struct buffer *there,
		     struct error *error)
{
	const char *where = session->order->target->remote.directory;
	int result = file_read_at(session->directory, where, file, there, error);
	if (result == -ENOENT || result == -EFBIG || result == -EINVAL || result == -ELOOP) {
		buffer_free(there);
		error_clear(error);
		return 0;
	}
	return result;
}

static bool same(const struct buffer *one, const struct buffer *other)
{
	return one->length == other->length &&
	       memcmp(buffer_text(one), buffer_text(other), one->length) == 0;
}

static int look(void *opened, enum remote_found *ret_found, struct error *error)
{
	struct session *session = opened;
	*ret_found = REMOTE_WANTED;
	for (size_t i = 0; i < session->files.count; i++) {
		const char *file = session->files.items[i];
		CLEANUP(buffer_wipe) struct buffer there = BUFFER(FILE_LIMIT);
		int result = file_look(session, file, &there, error);
		if (result < 0)
			return result;
		if (!same(&there, content_of(session, file)))
			*ret_found = REMOTE_OTHER;
	}
	return 0;
}

/* Atomic for whoever reads the share: a temporary file beside it, and a rename. */
static int file_place(const struct session *session, const char *file, const void *data,
		      size_t length, struct error *error)
{
	const struct config_target *target = session->order->target;
	int result = file_write_at(session->directory, target->remote.directory, file, data, length,
				   &target->access, FILE_SYNC_DATA, error);
	if (result == -EACCES || result == -EPERM || result == -EROFS)
		error_remedy(error,
			     "let the agent's user write to %s: the share's permissions (Change), "
			     "its mount options (uid=, file_mode=), ReadWritePaths= of the unit",
			     target->remote.directory);
	return result;
}

/* Shares do not always have a way to sync a directory; their servers do that. */
static int places_sync(const struct session *session, struct error *error)
{
	int result =
		directory_sync(session->directory, session->order->target->remote.directory, error);
	if (result != -EINVAL && result != -ENOTSUP)
		return result;
	error_clear(error);
	return 0;
}

static int place(void *opened, struct error *error)
{
	struct session *session = opened;
	int result = 0;
	for (size_t i = 0; i < session->files.count && result == 0; i++) {
		const char *file = session->files.items[i];
		const struct buffer *content = content_of(session, file);
		CLEANUP(buffer_wipe) struct buffer there = BUFFER(FILE_LIMIT);
		result = file_look(session, file, &there, error);
		if (result == 0 && !same(&there, content))
			result = file_place(session, file, buffer_text(content), content->length,
					    error);
	}
	return result < 0 ? result : places_sync(session, error);
}

static int keep(void *opened, cJSON *before, struct error *error)
{
	struct session *session = opened;
	cJSON *list = json_add_array(before, "files");
	for (size_t i = 0; i < session->files.count; i++) {
		const char *file = session->files.items[i];
		CLEANUP(buffer_wipe) struct buffer there = BUFFER(FILE_LIMIT);
		int result = file_look(session, file, &there, error);
		if (result < 0)
			return result;
		if (there.length == 0)
			continue;
		size_t size = 4 * ((there.length + 2) / 3) + 1;
		CLEANUP(freep) char *text = memory_alloc(size, 1);
		EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)there.data,
				(int)there.length);
		cJSON *item = json_append_object(list);
		json_add_string(item, "name", file);
		json_add_integer(item, "length", (int64_t)there.length);
		json_add_string(item, "base64", text);
	}
	return 0;
}

static int file_go_back(const struct session *session, const cJSON *item, struct error *error)
{
	const char *name = json_string(item, "name");
	const char *text = json_string(item, "base64");
	int64_t length = json_integer(item, "length", 0);
	if (!name || !text || !string_list_has(&session->files, name) || length <= 0)
		return 0;
	CLEANUP(freep) unsigned char *data = memory_alloc(strlen(text) + 1, 1);
	int decoded = EVP_DecodeBlock(data, (const unsigned char *)text, (int)strlen(text));
	if (decoded < length)
		return 0;
	return file_place(session, name, data, (size_t)length, error);
}

static int go_back(void *opened, const cJSON *before, struct error *error)
{
	struct session *session = opened;
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(before, "files");
	const cJSON *item;
	int result = 0;
	/* A name that had no file keeps the one that it has now: to take it away would end TLS. */
	cJSON_ArrayForEach (item, list)
		if (result == 0)
			result = file_go_back(session, item, error);
	return result < 0 ? result : places_sync(session, error);
}

static const char *share(const struct config_target *target)
{
	return target->remote.directory;
}

const struct remote_operations remote_iis = {
	.describe = describe,
	.check = check,
	.open = session_open,
	.look = look,
	.keep = keep,
	.place = place,
	.go_back = go_back,
	.close = session_close,
	.share = share,
};
