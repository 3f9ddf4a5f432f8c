# Where DESIGN says things live: binary, templates, units, sample configuration. What does not name
# a component is of the package origin-ca-agent (cmake/Package.cmake).
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME agent)
set(ORIGIN_CA_UNIT_DIR "lib/systemd/system" CACHE PATH "systemd unit directory, below the prefix")
install(TARGETS origin-ca-agent RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS origin-ca-supervisor
  RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/origin-ca-agent)
if(TARGET origin-ca-sandbox)
  install(TARGETS origin-ca-sandbox RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
    COMPONENT sandbox)
endif()
install(DIRECTORY templates/ DESTINATION ${CMAKE_INSTALL_DATADIR}/origin-ca-agent/templates
  FILES_MATCHING PATTERN "*.mustache")
# Units, and what the agent's user is and may (DESIGN 7). Service and timer have the same identity and
# the same confinement.
configure_file(units/identity.conf.in units/identity.conf @ONLY)
file(READ ${CMAKE_CURRENT_BINARY_DIR}/units/identity.conf ORIGIN_CA_IDENTITY)
file(READ units/confinement.conf ORIGIN_CA_CONFINEMENT)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${CMAKE_CURRENT_SOURCE_DIR}/units/confinement.conf)
foreach(unit origin-ca-agent.service origin-ca-agent-once.service origin-ca-agent-test@.service)
  configure_file(units/${unit}.in units/${unit} @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/units/${unit} DESTINATION ${ORIGIN_CA_UNIT_DIR})
endforeach()
install(FILES units/origin-ca-agent.timer DESTINATION ${ORIGIN_CA_UNIT_DIR})
install(PROGRAMS units/test-configuration
  DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/origin-ca-agent)
install(FILES units/origin-ca-agent.sysusers.conf DESTINATION lib/sysusers.d
  RENAME origin-ca-agent.conf)
install(FILES units/origin-ca-agent.tmpfiles.conf DESTINATION lib/tmpfiles.d
  RENAME origin-ca-agent.conf)
install(FILES units/origin-ca-agent.rules DESTINATION ${CMAKE_INSTALL_DATADIR}/polkit-1/rules.d)
# `journalctl -x`; `journalctl --update-catalog` after it (a package's maintainer scripts).
install(FILES etc/origin-ca-agent.catalog DESTINATION lib/systemd/catalog)
install(FILES etc/prometheus/origin-ca-agent.rules.yml
  DESTINATION ${CMAKE_INSTALL_DATADIR}/origin-ca-agent/prometheus)
install(FILES etc/grafana/origin-ca-agent.json
  DESTINATION ${CMAKE_INSTALL_DATADIR}/origin-ca-agent/grafana)
# An administrator's own file is never replaced.
install(CODE "
  set(file \"\$ENV{DESTDIR}${CMAKE_INSTALL_FULL_SYSCONFDIR}/origin-ca-agent/agent.ini\")
  if(NOT EXISTS \"\${file}\")
    file(INSTALL \"${CMAKE_CURRENT_SOURCE_DIR}/etc/agent.ini\"
      DESTINATION \"${CMAKE_INSTALL_FULL_SYSCONFDIR}/origin-ca-agent\")
  endif()")
install(DIRECTORY DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/origin-ca-agent/conf.d)
install(DIRECTORY DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/origin-ca-agent/templates)
include(cmake/Documentation.cmake)
install(FILES docs/status.schema.json DESTINATION ${CMAKE_INSTALL_DOCDIR})
