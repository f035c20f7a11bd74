# gotunnel_headers_alone(<name> <library>): an object library that compiles each header by itself, so that no header leans
# on what its users happened to include before it. Built by the test `house.headers`, not by `all`.
#
# This is the one place that globs: a header that nobody listed is just the one to look at. Headers from net/ upwards bring
# Asio, two seconds each, and are the same under every preset: only release compiles them.
function(gotunnel_headers_alone name library)
  set(rooms base crypto wire)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    set(rooms "*")
  endif()
  set(headers "")
  foreach(room IN LISTS rooms)
    file(GLOB_RECURSE found CONFIGURE_DEPENDS
      ${PROJECT_SOURCE_DIR}/include/gotunnel/${room}/*.hpp
      ${PROJECT_SOURCE_DIR}/src/${room}/*.hpp)
    list(APPEND headers ${found})
  endforeach()

  set(sources "")
  foreach(header IN LISTS headers)
    cmake_path(RELATIVE_PATH header BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE name_of_header)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${name_of_header}.cpp)
    # Twice, so that a missing include guard shows.
    file(CONFIGURE OUTPUT ${source} CONTENT "#include \"@header@\"\n#include \"@header@\"\n" @ONLY)
    list(APPEND sources ${source})
  endforeach()

  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${sources})
  target_link_libraries(${name} PRIVATE ${library})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  # Only the front end matters here.
  target_compile_options(${name} PRIVATE -O0 -g0)
endfunction()
