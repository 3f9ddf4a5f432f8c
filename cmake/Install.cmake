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
configure_file(units/origin-ca-agent.service.in units/origin-ca-agent.service @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/units/origin-ca-agent.service
  DESTINATION ${ORIGIN_CA_UNIT_DIR})
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
