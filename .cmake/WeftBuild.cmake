# SPDX-License-Identifier: Apache-2.0
# How every part of weft is compiled, and how a layer is declared.

option(BUILD_TESTING "Build tests and benchmarks" ON)
option(WEFT_WERROR "Treat warnings as errors" ON)
option(WEFT_LTO "Optimise libweft.so and programs at link time, in Release builds" ON)
option(WEFT_FUZZ "Build the fuzzers with libFuzzer (clang only)" OFF)
set(WEFT_SANITIZE "" CACHE STRING "Sanitizers for the whole build: address,undefined or thread")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_compile_options(-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef
                    -Wvla -Wimplicit-fallthrough -fno-strict-aliasing -fno-common -fno-semantic-interposition)
add_compile_definitions(_GNU_SOURCE)
if(WEFT_WERROR)
  add_compile_options(-Werror)
endif()
if(WEFT_SANITIZE)
  add_compile_options(-fsanitize=${WEFT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WEFT_SANITIZE})
endif()
if(WEFT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Link-time optimisation is for what gets installed and measured. gcc writes ordinary code beside it into each object,
# so that tests link fast, and only the targets given to weft_link_time_optimise() use it.
set(WEFT_LTO_ACTIVE OFF)
if(WEFT_LTO AND NOT WEFT_SANITIZE AND CMAKE_BUILD_TYPE STREQUAL "Release")
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    set(WEFT_LTO_ACTIVE ON)
    add_compile_options(-flto=auto -ffat-lto-objects)
    add_link_options(-fno-lto)
  elseif(CMAKE_C_COMPILER_ID MATCHES "Clang")
    set(WEFT_LTO_ACTIVE ON)
    add_compile_options(-flto=thin)
    add_link_options(-flto=thin -fuse-ld=lld "LINKER:--thinlto-cache-dir=${PROJECT_BINARY_DIR}/lto-cache")
  endif()
endif()
function(weft_link_time_optimise target)
  if(WEFT_LTO_ACTIVE AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_link_options(${target} PRIVATE -flto=auto)
  endif()
endfunction()

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
