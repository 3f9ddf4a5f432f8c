#include "base/paths.h"

const char *const path_version = ORIGIN_CA_VERSION;
const char *const path_config_file = ORIGIN_CA_CONFIG_FILE;
const char *const path_state_dir = ORIGIN_CA_STATE_DIR;
const char *const path_template_dir = ORIGIN_CA_TEMPLATE_DIR;
const char *const path_libexec_dir = ORIGIN_CA_LIBEXEC_DIR;
const char *const path_user = "origin-ca-agent";
const char *const path_polkit_rule = ORIGIN_CA_POLKIT_RULE;
