#include "target/keystore.h"

#include "base/memory.h"

char *keystore_file_name(const struct config_certificate *certificate)
{
	return string_format("%s.p12", certificate->name);
}
