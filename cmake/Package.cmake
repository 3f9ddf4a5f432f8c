# Packages by CPack: origin-ca-agent, and origin-ca-sandbox for trying it out.
#
#   cmake --preset release && cmake --build --preset release && (cd build/release && cpack -G DEB)
#
# CPACK_GENERATOR is DEB, or RPM where rpmbuild is what there is. The bytes depend on the sources
# and the tools alone: all times are that of the newest entry of packaging/debian/changelog.
file(STRINGS packaging/debian/changelog changelog_head REGEX "^origin-ca-agent \\(" LIMIT_COUNT 1)
file(STRINGS packaging/debian/changelog changelog_tail REGEX "^ -- .*>  " LIMIT_COUNT 1)
string(REGEX REPLACE "^.*\\((.*)-([^-]*)\\).*$" "\\1" package_version "${changelog_head}")
string(REGEX REPLACE "^.*\\((.*)-([^-]*)\\).*$" "\\2" package_release "${changelog_head}")
string(REGEX REPLACE "^ -- .*>  " "" package_date "${changelog_tail}")
string(REGEX REPLACE "^ -- (.*>)  .*$" "\\1" package_maintainer "${changelog_tail}")
if(NOT package_version STREQUAL PROJECT_VERSION)
  message(FATAL_ERROR "packaging/debian/changelog says ${package_version}, "
    "CMakeLists.txt ${PROJECT_VERSION}")
endif()
execute_process(COMMAND date -u -d "${package_date}" +%s OUTPUT_VARIABLE ORIGIN_CA_EPOCH
  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)

# Of our parts: "agent" is all that is not said otherwise (cmake/Install.cmake).
set(CPACK_COMPONENTS_ALL agent sandbox)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_RPM_COMPONENT_INSTALL ON)
set(CPACK_PACKAGE_NAME origin-ca-agent)
set(CPACK_PACKAGE_VENDOR "origin-ca-agent")
# CPack's default, which it does not put before the summaries of the parts.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_NAME} built using CMake")
set(CPACK_PACKAGE_CONTACT "${package_maintainer}")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_CURRENT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_BINARY_DIR}/packaging/cpack.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_BINARY_DIR}/packaging/staging.cmake)
configure_file(packaging/cpack.cmake.in packaging/cpack.cmake @ONLY)
configure_file(packaging/staging.cmake packaging/staging.cmake @ONLY)

# The scripts of both kinds share what they do.
file(READ packaging/common.sh common_script)
string(REGEX REPLACE "^(#[^\n]*\n)+" "" common_script "${common_script}")
foreach(script debian/postinst debian/prerm debian/postrm rpm/post rpm/preun rpm/postun)
  file(READ packaging/${script} text)
  string(REPLACE "#COMMON#\n" "${common_script}" text "${text}")
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/packaging/${script}.new "${text}")
  file(COPY_FILE ${CMAKE_CURRENT_BINARY_DIR}/packaging/${script}.new
    ${CMAKE_CURRENT_BINARY_DIR}/packaging/${script} ONLY_IF_DIFFERENT)
  file(CHMOD ${CMAKE_CURRENT_BINARY_DIR}/packaging/${script} PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS packaging/${script})
endforeach()
configure_file(packaging/debian/conffiles packaging/debian/conffiles COPYONLY)

set(agent_description "keeps Cloudflare Origin CA certificates on web servers alive
origin-ca-agent gets certificates from Cloudflare's Origin CA, renews them
before they expire, puts them into the configuration of NGINX, Apache httpd,
Tomcat, HAProxy or another web server of this host, reloads it through
systemd, and proves by a TLS handshake that the new certificate is served.

A rotation that a server refuses is taken back: the former certificate goes
on being served.")
set(sandbox_description "local imitation of Cloudflare's Origin CA API
origin-ca-sandbox answers as Cloudflare's Origin CA API does, with roots that
nobody trusts: for trying origin-ca-agent without an account, and for tests.
It listens on loopback addresses only.")

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${package_release})
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_AGENT_PACKAGE_NAME origin-ca-agent)
set(CPACK_DEBIAN_AGENT_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_AGENT_DESCRIPTION "${agent_description}")
set(CPACK_DEBIAN_AGENT_PACKAGE_DEPENDS
  "ca-certificates, diffutils, init-system-helpers (>= 1.54), systemd (>= 247)")
set(CPACK_DEBIAN_AGENT_PACKAGE_RECOMMENDS polkitd)
set(CPACK_DEBIAN_AGENT_PACKAGE_SUGGESTS
  "apache2 | haproxy | nginx | tomcat10, origin-ca-sandbox")
set(CPACK_DEBIAN_AGENT_PACKAGE_CONTROL_EXTRA
  ${CMAKE_CURRENT_BINARY_DIR}/packaging/debian/conffiles
  ${CMAKE_CURRENT_BINARY_DIR}/packaging/debian/postinst
  ${CMAKE_CURRENT_BINARY_DIR}/packaging/debian/prerm
  ${CMAKE_CURRENT_BINARY_DIR}/packaging/debian/postrm)
set(CPACK_DEBIAN_SANDBOX_PACKAGE_NAME origin-ca-sandbox)
set(CPACK_DEBIAN_SANDBOX_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_SANDBOX_DESCRIPTION "${sandbox_description}")

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_RELEASE ${package_release})
set(CPACK_RPM_PACKAGE_LICENSE Apache-2.0)
set(CPACK_RPM_INSTALL_WITH_EXEC ON)
string(REGEX REPLACE "^[^\n]*\n" "" rpm_text "${agent_description}")
set(CPACK_RPM_AGENT_PACKAGE_NAME origin-ca-agent)
set(CPACK_RPM_AGENT_PACKAGE_SUMMARY "Keeps Cloudflare Origin CA certificates alive")
set(CPACK_RPM_AGENT_PACKAGE_DESCRIPTION "${rpm_text}")
set(CPACK_RPM_AGENT_PACKAGE_REQUIRES "ca-certificates, diffutils, systemd >= 247")
set(CPACK_RPM_AGENT_USER_FILELIST
  "%config(noreplace) %attr(0644, root, root) /etc/origin-ca-agent/agent.ini")
set(CPACK_RPM_AGENT_POST_INSTALL_SCRIPT_FILE ${CMAKE_CURRENT_BINARY_DIR}/packaging/rpm/post)
set(CPACK_RPM_AGENT_PRE_UNINSTALL_SCRIPT_FILE ${CMAKE_CURRENT_BINARY_DIR}/packaging/rpm/preun)
set(CPACK_RPM_AGENT_POST_UNINSTALL_SCRIPT_FILE ${CMAKE_CURRENT_BINARY_DIR}/packaging/rpm/postun)
set(CPACK_RPM_SANDBOX_PACKAGE_NAME origin-ca-sandbox)
set(CPACK_RPM_SANDBOX_PACKAGE_SUMMARY "Local imitation of Cloudflare's Origin CA API")
# The same package from whoever builds it.
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _buildhost reproducible
%define use_source_date_epoch_as_buildtime 1
%define clamp_mtime_to_source_date_epoch 1
%define _build_id_links none")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
  /etc /usr/share/man /usr/share/man/man1 /usr/share/man/man5 /usr/share/man/man8
  /usr/lib /usr/lib/systemd /usr/lib/systemd/system /usr/lib/sysusers.d /usr/lib/tmpfiles.d
  /usr/libexec /usr/sbin /usr/share/bash-completion /usr/share/bash-completion/completions
  /usr/share/zsh /usr/share/zsh/vendor-completions /usr/share/fish
  /usr/share/fish/vendor_completions.d /usr/share/polkit-1 /usr/share/polkit-1/rules.d)

find_program(RPMBUILD rpmbuild)
find_program(DPKG_DEB dpkg-deb)
if(DPKG_DEB)
  set(CPACK_GENERATOR DEB)
elseif(RPMBUILD)
  set(CPACK_GENERATOR RPM)
endif()
include(CPack)
