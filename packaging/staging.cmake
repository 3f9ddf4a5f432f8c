# Run by cpack over what it is about to pack: the same modes and times whoever builds, when and
# with which umask.
set(date "@@ORIGIN_CA_EPOCH@")
foreach(directory IN LISTS CPACK_TEMPORARY_INSTALL_DIRECTORY CPACK_TEMPORARY_DIRECTORY)
  if(IS_DIRECTORY "${directory}")
    execute_process(COMMAND find "${directory}" -type d -exec chmod 755 {} +
      COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND find "${directory}" -type f -exec chmod u=rwX,go=rX {} +
      COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND find "${directory}" -exec touch -h -d "${date}" {} +
      COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()
