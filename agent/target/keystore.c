#include "target/keystore.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/export.h"
#include "target/drift.h"

/* Not readable to us: what is in it cannot be told, and so is not what it should be. */
static bool is_other(int result)
{
	return result == -EFBIG || result == -EACCES || result == -EIO;
}

char *keystore_file_name(const struct config_certificate *certificate)
{
	return string_format("%s.%s", certificate->name, KEYSTORE_SUFFIX);
}

static int encryption_check(const struct buffer *p12, const struct config_target *target,
			    struct error *error)
{
	enum keystore_encryption encryption = KEYSTORE_AES256;
	int result = export_p12_encryption(p12->data, p12->length, &encryption, error);
	if (result < 0 || encryption == target->remote.encryption)
		return result;
	return error_set(error, ERROR_LOCAL, -EBADMSG, "it is encrypted in another way");
}

static int content_check(int directory, const struct config_target *target, const char *file,
			 const struct keystore_content *content, struct error *error)
{
	const char *where = target->snippet_dir;
	struct file_stamp stamp;
	int result = file_stamp_at(directory, file, &stamp);
	if (result == 0 && !S_ISREG(stamp.mode))
		return error_set(error, ERROR_LOCAL, -ENOENT,
				 "%s/%s is not a regular file and will be replaced", where, file);
	if (result < 0)
		return error_errno(error, result, "keystore %s/%s", where, file);

	struct buffer p12 = BUFFER(FILE_LIMIT);
	result = file_read_at(directory, where, file, &p12, error);
	if (result == 0) {
		result = export_p12_check(p12.data, p12.length, content->password, content->key,
					  content->leaf, content->root, error);
		if (result == 0)
			result = encryption_check(&p12, target, error);
		if (result < 0)
			error_prefix(error, "keystore %s/%s", where, file);
	} else if (is_other(result)) {
		/* With the system's words, which are there already. */
		result = -EBADMSG;
		if (error)
			error->code = result;
	}
	buffer_wipe(&p12);
	return result;
}

int keystore_check(int directory, const struct config_target *target,
		   const struct config_certificate *certificate,
		   const struct keystore_content *content, struct error *error)
{
	CLEANUP(freep) char *file = keystore_file_name(certificate);
	int result = content_check(directory, target, file, content, error);
	if (result < 0)
		return result;
	struct file_stamp stamp;
	if (file_stamp_at(directory, file, &stamp) < 0 || drift_access(&stamp, &target->access))
		return error_set(error, ERROR_LOCAL, -EPERM,
				 "keystore %s/%s has another owner, group or mode",
				 target->snippet_dir, file);
	return 0;
}

/* The one who wrote it may have ended before it was durable. */
static int keystore_sync(int directory, const struct config_target *target, const char *file,
			 struct error *error)
{
	CLEANUP(closep)
	int fd = openat(directory, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return error_errno(error, -errno, "cannot sync %s/%s", target->snippet_dir, file);
	return directory_sync(directory, target->snippet_dir, error);
}

static int remedy_add(int result, const struct config_target *target, struct error *error)
{
	if (result == -EACCES || result == -EPERM || result == -EROFS)
		error_remedy(
			error,
			"let the agent's user write to %s, also in its unit (ReadWritePaths=), "
			"and be a member of the group of target %s",
			target->snippet_dir, target->name);
	return result;
}

static int keystore_write(int directory, const struct config_target *target,
			  const struct config_certificate *certificate, const char *file,
			  const struct keystore_content *content, struct error *error)
{
	struct buffer p12 = BUFFER(FILE_LIMIT);
	int result =
		export_p12_as(target->remote.encryption, content->key, content->leaf, content->root,
			      certificate->name, content->password, &p12, error);
	if (result == 0)
		result = remedy_add(file_write_at(directory, target->snippet_dir, file, p12.data,
						  p12.length, &target->access, FILE_SYNC, error),
				    target, error);
	buffer_wipe(&p12);
	return result;
}

int keystore_commit(int directory, const struct config_target *target,
		    const struct config_certificate *certificate,
		    const struct keystore_content *content, bool *ret_replaced, struct error *error)
{
	CLEANUP(freep) char *file = keystore_file_name(certificate);
	int result = keystore_check(directory, target, certificate, content, NULL);
	bool stays = result == 0 ||
		     /* In place, so that nobody has to read it again; a file of somebody else's
		      * cannot be, and is replaced by one of ours. */
		     (result == -EPERM && drift_settle(directory, file, &target->access) == 0);
	result = stays ? keystore_sync(directory, target, file, error)
		       : keystore_write(directory, target, certificate, file, content, error);
	if (result == 0)
		*ret_replaced = !stays;
	return result;
}

int keystore_settle_access(int directory, const struct config_target *target,
			   const struct config_certificate *certificate, struct error *error)
{
	CLEANUP(freep) char *file = keystore_file_name(certificate);
	int result = drift_settle(directory, file, &target->access);
	if (result == 0)
		return 0;
	error_errno(error, result, "cannot set owner and mode of %s/%s", target->snippet_dir, file);
	file_access_remedy(error);
	return result;
}
