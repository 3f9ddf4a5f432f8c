/* paths.h - where the build was told that things live. */
#ifndef ORIGIN_CA_BASE_PATHS_H
#define ORIGIN_CA_BASE_PATHS_H

extern const char *const path_version;	    /* "0.1.0" */
extern const char *const path_config_file;  /* /etc/origin-ca-agent/agent.ini */
extern const char *const path_state_dir;    /* /var/lib/origin-ca-agent */
extern const char *const path_template_dir; /* /usr/share/origin-ca-agent/templates */
extern const char *const path_user;	    /* origin-ca-agent: the account it runs as */
extern const char *const path_polkit_rule;  /* /usr/share/polkit-1/rules.d/...rules */
extern const char *const path_libexec_dir;  /* /usr/libexec/origin-ca-agent */

#endif
