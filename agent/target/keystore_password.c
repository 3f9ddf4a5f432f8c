/* The password of a certificate's keystores: the administrator's, or one that was made once. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/file.h"
#include "pki/export.h"
#include "pki/openssl_error.h"
#include "target/drift.h"
#include "target/keystore.h"

enum {
	PASSWORD_LENGTH = 32, /* of 62 characters: 190 bits */
	PASSWORD_FILE_LIMIT = 4096,
};

/* No character that XML, a shell or a server's configuration could take for something. */
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static bool random_fill(char password[static PASSWORD_LENGTH + 1])
{
	static const unsigned most = 256 - 256 % (sizeof(letters) - 1);
	unsigned char bytes[2 * PASSWORD_LENGTH];
	size_t length = 0;
	bool good = true;

	while (good && length < PASSWORD_LENGTH) {
		good = RAND_priv_bytes(bytes, sizeof(bytes)) == 1;
		for (size_t i = 0; good && i < sizeof(bytes) && length < PASSWORD_LENGTH; i++)
			/* Those above would make some letters likelier than others. */
			if (bytes[i] < most)
				password[length++] = letters[bytes[i] % (sizeof(letters) - 1)];
	}
	password[length] = '\0';
	explicit_bzero(bytes, sizeof(bytes));
	return good;
}

static int password_make(int certificate, const char *where, char **ret_password,
			 struct error *error)
{
	char line[PASSWORD_LENGTH + 2];
	ERR_clear_error();
	if (!random_fill(line))
		return openssl_error(error, ERROR_LOCAL, -EIO, "cannot make a keystore's password");
	line[PASSWORD_LENGTH] = '\n';
	int result = file_write_at(certificate, where, KEYSTORE_PASSWORD_FILE, line,
				   PASSWORD_LENGTH + 1, &FILE_ACCESS(0600), FILE_SYNC, error);
	if (result == 0)
		*ret_password = string_copy_n(line, PASSWORD_LENGTH);
	explicit_bzero(line, sizeof(line));
	return result;
}

/* -ENOENT also for something that this file did not write: another one is made then. */
static int password_read(int certificate, const char *where, char **ret_password,
			 struct error *error)
{
	struct buffer text = BUFFER(PASSWORD_FILE_LIMIT);
	int result = file_read_at(certificate, where, KEYSTORE_PASSWORD_FILE, &text, error);
	bool junk = result == -EFBIG || result == -EINVAL || result == -ELOOP || result == -ENXIO ||
		    result == -EISDIR;
	if (result == 0) {
		const char *password = buffer_text(&text);
		junk = text.length != PASSWORD_LENGTH + 1 ||
		       strspn(password, letters) != PASSWORD_LENGTH ||
		       password[PASSWORD_LENGTH] != '\n';
		if (!junk)
			*ret_password = string_copy_n(password, PASSWORD_LENGTH);
	}
	buffer_wipe(&text);
	return junk ? error_set(error, ERROR_LOCAL, -ENOENT,
				"%s/%s holds no password of a keystore", where,
				KEYSTORE_PASSWORD_FILE)
		    : result;
}

int keystore_password(int certificate, const char *where, const char *file, bool create,
		      char **ret_password, struct error *error)
{
	if (file)
		return export_password_read(file, ret_password, error);

	struct file_stamp stamp;
	int result = password_read(certificate, where, ret_password, error);
	if (result == -ENOENT && create) {
		error_clear(error);
		return password_make(certificate, where, ret_password, error);
	}
	/* Others may have read it; that is no reason for them to go on. */
	if (result == 0 && create &&
	    file_stamp_at(certificate, KEYSTORE_PASSWORD_FILE, &stamp) == 0 &&
	    (stamp.mode & 07777) != 0600)
		drift_settle(certificate, KEYSTORE_PASSWORD_FILE, &FILE_ACCESS(0600));
	return result;
}
