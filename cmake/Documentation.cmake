# Manual pages (scdoc) and what else a package has in /usr/share/doc, compressed without times.
set(doc_directory ${CMAKE_CURRENT_BINARY_DIR}/docs)
file(MAKE_DIRECTORY ${doc_directory})
find_program(SCDOC scdoc)
find_program(GZIP gzip REQUIRED)

# origin-ca-agent.ini(5) is docs/configuration.md in another form: one text to keep right.
set(ini_page ${doc_directory}/origin-ca-agent.ini.5.scd)
add_custom_command(OUTPUT ${ini_page}
  COMMAND awk -f ${CMAKE_CURRENT_SOURCE_DIR}/docs/manual.awk
    ${CMAKE_CURRENT_SOURCE_DIR}/docs/configuration.md > ${ini_page}
  DEPENDS docs/configuration.md docs/manual.awk VERBATIM)

set(pages)
function(manual_page source name component)
  string(REGEX REPLACE "^.*\\.([0-9])$" "\\1" section ${name})
  add_custom_command(OUTPUT ${doc_directory}/${name}.gz
    COMMAND ${CMAKE_COMMAND} -E env SOURCE_DATE_EPOCH=${ORIGIN_CA_EPOCH}
      ${SCDOC} < ${source} > ${doc_directory}/${name}
    COMMAND ${GZIP} -9nkf ${doc_directory}/${name}
    DEPENDS ${source} VERBATIM)
  install(FILES ${doc_directory}/${name}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section}
    COMPONENT ${component})
  set(pages ${pages} ${doc_directory}/${name}.gz PARENT_SCOPE)
endfunction()

if(SCDOC)
  manual_page(${CMAKE_CURRENT_SOURCE_DIR}/docs/origin-ca-agent.8.scd origin-ca-agent.8 agent)
  manual_page(${ini_page} origin-ca-agent.ini.5 agent)
  manual_page(${CMAKE_CURRENT_SOURCE_DIR}/docs/origin-ca-agent-templates.5.scd
    origin-ca-agent-templates.5 agent)
  if(ORIGIN_CA_TESTS)
    manual_page(${CMAKE_CURRENT_SOURCE_DIR}/docs/origin-ca-sandbox.1.scd origin-ca-sandbox.1
      sandbox)
  endif()
else()
  message(WARNING "scdoc is not installed: no manual pages, and no package that Debian accepts")
endif()

function(compressed source name)
  add_custom_command(OUTPUT ${doc_directory}/${name}.gz
    COMMAND ${GZIP} -9n < ${CMAKE_CURRENT_SOURCE_DIR}/${source} > ${doc_directory}/${name}.gz
    DEPENDS ${source} VERBATIM)
  set(pages ${pages} ${doc_directory}/${name}.gz PARENT_SCOPE)
endfunction()
compressed(packaging/debian/changelog changelog.Debian)
compressed(CHANGELOG.md changelog)

# Beside each other they lie otherwise than in the sources.
foreach(page README.md docs/configuration.md docs/monitoring.md docs/remote.md)
  get_filename_component(name ${page} NAME)
  add_custom_command(OUTPUT ${doc_directory}/${name}
    COMMAND sed -f ${CMAKE_CURRENT_SOURCE_DIR}/cmake/installed-links.sed
      ${CMAKE_CURRENT_SOURCE_DIR}/${page} > ${doc_directory}/${name}
    DEPENDS ${page} cmake/installed-links.sed VERBATIM)
  list(APPEND pages ${doc_directory}/${name})
endforeach()
add_custom_target(documentation ALL DEPENDS ${pages})

install(FILES ${doc_directory}/README.md ${doc_directory}/configuration.md
  ${doc_directory}/monitoring.md ${doc_directory}/remote.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY etc/ansible etc/cloud-init etc/puppet etc/salt etc/terraform
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
foreach(part agent sandbox)
  set(directory ${CMAKE_INSTALL_DATADIR}/doc/origin-ca-${part})
  install(FILES ${doc_directory}/changelog.Debian.gz ${doc_directory}/changelog.gz
    packaging/debian/copyright DESTINATION ${directory} COMPONENT ${part})
endforeach()
install(FILES packaging/debian/lintian-overrides RENAME origin-ca-agent
  DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides)
install(FILES packaging/debian/lintian-overrides.sandbox RENAME origin-ca-sandbox
  DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides COMPONENT sandbox)
install(FILES etc/completions/origin-ca-agent.bash RENAME origin-ca-agent
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES etc/completions/_origin-ca-agent
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES etc/completions/origin-ca-agent.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
