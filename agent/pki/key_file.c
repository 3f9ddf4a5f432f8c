/* key_file.c - the user's own private key, in a file that only its owner should read. */
#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "pki/key.h"
#include "pki/own_file.h"

/* What is wrong in the file is the administrator's to put right. */
static int refuse(int result, const char *path, struct error *error)
{
	error_prefix(error, "%s", path);
	if (error)
		error->class = ERROR_CONFIGURATION;
	if (result == -EKEYREJECTED)
		error_remedy(error,
			     "write it without a password: openssl pkey -in %s -out PLAIN, and "
			     "keep that file readable to its owner only",
			     path);
	else
		error_remedy(error, "give a private key in PEM, or let the agent make one: leave "
				    "private_key out");
	return result;
}

int key_read_file(const char *path, EVP_PKEY **ret_key, char **ret_warning, struct error *error)
{
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(FILE_LIMIT);
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	enum key_type type;
	mode_t mode = 0;
	int result = own_file_read(path, "the private key", &text, &mode, error);
	if (result < 0)
		return result;
	result = key_read_pem(buffer_text(&text), text.length, &key, error);
	if (result < 0)
		return refuse(result, path, error);
	if (key_type_of(key, &type) < 0) {
		error_set(error, ERROR_CONFIGURATION, -EINVAL,
			  "%s: the private key is of a type that cannot be used (%s, %d bits)",
			  path, key_algorithm_name(key), EVP_PKEY_get_bits(key));
		return error_remedy(error, "use ECDSA with P-256 or P-384, or RSA with 2048, 3072 "
					   "or 4096 bits");
	}
	if (ret_warning)
		*ret_warning = mode & S_IROTH
				       ? string_format("everyone on this host can read the private "
						       "key %s; chmod o-r it",
						       path)
				       : NULL;
	*ret_key = TAKE_PTR(key);
	return 0;
}
