# What every translation unit of the house is compiled with. The definitions must be the same everywhere:
# they change the layout and the inline functions of Asio.
add_library(gotunnel_build INTERFACE)
target_include_directories(gotunnel_build INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(gotunnel_build INTERFACE
  BOOST_ASIO_NO_DEPRECATED
  BOOST_ASIO_SEPARATE_COMPILATION
  BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=8
  GOTUNNEL_VERSION="${PROJECT_VERSION}")
target_compile_options(gotunnel_build INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  $<$<BOOL:${GOTUNNEL_WERROR}>:-Werror>
  # False alarms inside libstdc++'s string at -O2 (GCC PR 105651), gone in g++ 13.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
  # False alarms about coroutine frames, when only one half of Asio's allocator of them is inlined.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-mismatched-new-delete>)

if(GOTUNNEL_SANITIZE)
  target_compile_options(gotunnel_build INTERFACE
    -fsanitize=${GOTUNNEL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(gotunnel_build INTERFACE -fsanitize=${GOTUNNEL_SANITIZE})
  # UBSan's vptr check opens a pipe to look at an object, and calls the object broken when descriptors have run out.
  if(GOTUNNEL_SANITIZE MATCHES "undefined")
    target_compile_options(gotunnel_build INTERFACE -fno-sanitize=vptr)
  endif()
  # clang 14 cannot place the data of this check before coroutines whose branches are counted for the fuzzer.
  if(GOTUNNEL_FUZZ)
    target_compile_options(gotunnel_build INTERFACE -fno-sanitize=function)
  endif()
  # g++ 12 warns about Asio's fences under TSan, which then does not model them; the atomics around them are modelled.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND GOTUNNEL_SANITIZE MATCHES "thread")
    target_compile_options(gotunnel_build INTERFACE -Wno-tsan)
  endif()
endif()

# gotunnel_floor(<name> <lower floors and libraries...>): a static library that may use only what is named.
function(gotunnel_floor name)
  add_library(${name} STATIC)
  target_link_libraries(${name} PUBLIC gotunnel_build ${ARGN})
endfunction()
