# SPDX-License-Identifier: Apache-2.0
# How every part of weft is compiled, and how a layer is declared.

option(BUILD_TESTING "Build tests and benchmarks" ON)
option(WEFT_WERROR "Treat warnings as errors" ON)
set(WEFT_SANITIZE "" CACHE STRING "Sanitizers for the whole build: address,undefined or thread")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_compile_options(-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef
                    -Wvla -Wimplicit-fallthrough -fno-strict-aliasing -fno-common)
add_compile_definitions(_GNU_SOURCE)
if(WEFT_WERROR)
  add_compile_options(-Werror)
endif()
if(WEFT_SANITIZE)
  add_compile_options(-fsanitize=${WEFT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WEFT_SANITIZE})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# weft_layer(NAME USES LAYER... HEADERS FILE...): an object library that is one layer. Its public headers are the
# FILE_SET in include/weft; it sees its own private headers (from its folder) and the public ones of the layers it uses.
# Anything else does not compile.
function(weft_layer name)
  cmake_parse_arguments(arg "" "" "USES;HEADERS" ${ARGN})
  add_library(${name} OBJECT)
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE C)
  list(TRANSFORM arg_HEADERS PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/include/weft/")
  target_sources(${name} PUBLIC FILE_SET public_headers TYPE HEADERS
                 BASE_DIRS "${CMAKE_CURRENT_SOURCE_DIR}/include" FILES ${arg_HEADERS})
  target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_link_libraries(${name} PUBLIC ${arg_USES})
endfunction()
