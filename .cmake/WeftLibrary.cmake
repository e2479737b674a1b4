# SPDX-License-Identifier: Apache-2.0
# libweft.so from the object files of the layers, and what `cmake --install` puts where.

set(WEFT_LAYERS weft_base weft_numa weft_drivers)
foreach(layer weft_fabric weft_core_services)
  if(TARGET ${layer})
    list(APPEND WEFT_LAYERS ${layer})
  endif()
endforeach()

set(WEFT_SYMBOL_MAP "${PROJECT_SOURCE_DIR}/fabric/libweft.map")
add_library(weft SHARED)
add_library(weft::weft ALIAS weft)
target_link_libraries(weft PRIVATE ${WEFT_LAYERS})
target_include_directories(weft INTERFACE "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
foreach(layer ${WEFT_LAYERS})
  target_include_directories(weft INTERFACE
    "$<BUILD_INTERFACE:$<TARGET_PROPERTY:${layer},INTERFACE_INCLUDE_DIRECTORIES>>")
endforeach()
target_link_options(weft PRIVATE "LINKER:--version-script=${WEFT_SYMBOL_MAP}" "LINKER:--as-needed"
                    "LINKER:-Bsymbolic-functions")
set_target_properties(weft PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0 LINKER_LANGUAGE C
                      LINK_DEPENDS "${WEFT_SYMBOL_MAP}")
if(NOT WEFT_SANITIZE)
  target_link_options(weft PRIVATE "LINKER:--no-undefined")
endif()
weft_link_time_optimise(weft)

include(CMakePackageConfigHelpers)
set(WEFT_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/weft")
configure_package_config_file("${PROJECT_SOURCE_DIR}/.cmake/weft-config.cmake.in" weft-config.cmake
                              INSTALL_DESTINATION "${WEFT_CMAKE_DIR}")
write_basic_package_version_file(weft-config-version.cmake COMPATIBILITY SameMinorVersion)
# Relative, so that an installed tree can be moved.
file(RELATIVE_PATH WEFT_PC_TO_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" WEFT_PC_TO_PREFIX "${WEFT_PC_TO_PREFIX}")
configure_file("${PROJECT_SOURCE_DIR}/.cmake/weft.pc.in" weft.pc @ONLY)

install(TARGETS weft EXPORT weft-targets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
foreach(layer ${WEFT_LAYERS})
  install(TARGETS ${layer} FILE_SET public_headers DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
endforeach()
install(EXPORT weft-targets NAMESPACE weft:: DESTINATION "${WEFT_CMAKE_DIR}")
install(FILES "${PROJECT_BINARY_DIR}/weft-config.cmake" "${PROJECT_BINARY_DIR}/weft-config-version.cmake"
        DESTINATION "${WEFT_CMAKE_DIR}")
install(FILES "${PROJECT_BINARY_DIR}/weft.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# Sections 1 and 7 of the manual are written by hand, section 3 is made from the comments of the public headers.
set(WEFT_MANUAL "${PROJECT_BINARY_DIR}/man")
file(GLOB WEFT_MANUAL_SOURCES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/*/include/weft/*.h"
     "${PROJECT_SOURCE_DIR}/numa/base/include/weft/*.h" "${PROJECT_SOURCE_DIR}/apps/examples/*.c")
add_custom_command(OUTPUT "${WEFT_MANUAL}/weft_node.3"
                   COMMAND "${PROJECT_SOURCE_DIR}/docs/man/from-headers" "${WEFT_MANUAL}"
                   DEPENDS "${PROJECT_SOURCE_DIR}/docs/man/from-headers" "${PROJECT_SOURCE_DIR}/docs/man/from-headers.awk"
                           ${WEFT_MANUAL_SOURCES})
add_custom_target(weft_manual ALL DEPENDS "${WEFT_MANUAL}/weft_node.3")
foreach(section 1 7)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/docs/man/" DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}"
          FILES_MATCHING PATTERN "*.${section}")
endforeach()
install(DIRECTORY "${WEFT_MANUAL}/" DESTINATION "${CMAKE_INSTALL_MANDIR}/man3" FILES_MATCHING PATTERN "*.3")
