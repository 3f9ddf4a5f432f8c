# Warnings, hardening and sanitizers for everything that is built here.
add_compile_definitions(_GNU_SOURCE)
add_compile_options(
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
  -Wformat=2 -Wpointer-arith -Wwrite-strings -Wcast-qual
  -fno-common -ffunction-sections -fdata-sections)
# The directory of the build is in no byte of it: a package can be built again elsewhere.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(ORIGIN_CA_WERROR)
  add_compile_options(-Werror)
endif()

# Only what an executable really calls is loaded: the idle supervisor must not map libcurl.
add_link_options(-Wl,--as-needed -Wl,--gc-sections)

# What is never shipped is a hundred executables that hold the same library: gold links each in a
# third of the time.
if(NOT CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT ORIGIN_CA_FUZZ)
  include(CheckLinkerFlag)
  check_linker_flag(C -fuse-ld=gold ORIGIN_CA_HAS_GOLD)
  if(ORIGIN_CA_HAS_GOLD)
    add_link_options(-fuse-ld=gold)
  endif()
endif()

if(ORIGIN_CA_SANITIZE)
  # -g1: lines and functions, which is what a report names
  add_compile_options(-fsanitize=${ORIGIN_CA_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${ORIGIN_CA_SANITIZE})
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # a quarter less to compile; what -O2 alone warns of, the release build does
    add_compile_options(-O1)
    # What the tests start thousands of times begins in three quarters of the time with the runtime
    # in it, as clang puts it without being told. A hundred unit tests need the smaller files.
    if(ORIGIN_CA_SANITIZE STREQUAL "address,undefined")
      set(ORIGIN_CA_STATIC_RUNTIME -static-libasan -static-libubsan)
    endif()
  endif()
else()
  add_compile_options(-fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    add_compile_options(-fcf-protection)
  endif()
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  endif()
endif()

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
if(ORIGIN_CA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# What was compiled before from the same source in the same way is taken from ccache's store.
find_program(ORIGIN_CA_CCACHE ccache)
if(ORIGIN_CA_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${ORIGIN_CA_CCACHE}")
endif()
