# Flags every one of our targets gets, and nothing else does.
add_library(saga_flags INTERFACE)
target_compile_features(saga_flags INTERFACE c_std_17)
target_compile_options(saga_flags INTERFACE
    -Wall -Wextra -Werror
    -Wshadow                 # an inner name never hides an outer one
    -Wconversion             # no silent narrowing of ids, sizes and times
    -Wsign-conversion
    -Wformat=2               # log and SQL formats are literals
    -Wimplicit-fallthrough
    -Wmissing-prototypes     # every function is static or in a header
    -Wstrict-prototypes
    -Wpointer-arith
    -Wcast-qual              # const stays const
    -Wwrite-strings
    -Wundef
    -Wvla                    # stack use is bounded
    -Wswitch-enum            # a new state or error kind breaks the build
    -fno-common
    -fstack-protector-strong
    -fno-omit-frame-pointer)

set(SAGA_SANITIZE "" CACHE STRING "Sanitizers: address,undefined or thread")
if(SAGA_SANITIZE)
    target_compile_options(saga_flags INTERFACE -fsanitize=${SAGA_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(saga_flags INTERFACE -fsanitize=${SAGA_SANITIZE})
endif()
if(SAGA_SANITIZE STREQUAL "thread")
    # In every program: librdkafka's threads are not seen otherwise.
    add_library(saga_c11_threads OBJECT ${PROJECT_SOURCE_DIR}/tests/support/c11_threads.c)
    target_compile_options(saga_c11_threads PRIVATE -fsanitize=thread -g)
    target_sources(saga_flags INTERFACE $<TARGET_OBJECTS:saga_c11_threads>)
endif()

# saga_library(<name> SOURCES ... USES ...): one static library per folder.
function(saga_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;USES;PRIVATE_USES" ${ARGN})
    add_library(${name} STATIC ${arg_SOURCES})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
    target_link_libraries(${name} PUBLIC ${arg_USES} PRIVATE saga_flags ${arg_PRIVATE_USES})
endfunction()

# saga_test(test_x.c [more.c] USES ... [SERIAL]): ctest "<folder>/test_x", labelled with the folder's name.
function(saga_test file)
    cmake_parse_arguments(arg "SERIAL" "TIMEOUT" "SOURCES;USES" ${ARGN})
    if(NOT CMOCKA_FOUND)
        return()
    endif()
    cmake_path(GET file STEM name)
    cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME group)
    add_executable(${name} ${file} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE saga_flags PkgConfig::CMOCKA ${arg_USES})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
    add_test(NAME ${group}/${name} COMMAND ${name})
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()
    set_tests_properties(${group}/${name} PROPERTIES LABELS ${group} TIMEOUT ${arg_TIMEOUT}
        SKIP_RETURN_CODE 77 RUN_SERIAL $<BOOL:${arg_SERIAL}>)
endfunction()

# Debian's own first: its packages (python3-yaml) belong to it.
find_program(SAGA_PYTHON python3 HINTS /usr/bin REQUIRED)

# saga_script_test(x_test.py [ARGS ...] [TIMEOUT n] [SERIAL]): ctest "<folder>/x_test". The script finds
# our programs by SAGA_BUILD; it skips itself by exit status 77, its last line saying why.
function(saga_script_test file)
    cmake_parse_arguments(arg "SERIAL" "TIMEOUT" "ARGS" ${ARGN})
    cmake_path(GET file STEM name)
    cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME group)
    set(interpreter)
    if(file MATCHES "\\.py$")
        set(interpreter ${SAGA_PYTHON})
    endif()
    add_test(NAME ${group}/${name} COMMAND ${interpreter} ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${arg_ARGS}
        WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()
    set_tests_properties(${group}/${name} PROPERTIES LABELS ${group} TIMEOUT ${arg_TIMEOUT}
        SKIP_RETURN_CODE 77 RUN_SERIAL $<BOOL:${arg_SERIAL}>
        ENVIRONMENT "SAGA_BUILD=${PROJECT_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endfunction()
