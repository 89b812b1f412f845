# Lists the weak symbols of the kernels' object files; there may be none. An inline function that several instruction
# sets share is weak, and the linker keeps one copy for everybody: perhaps the one with AVX-512 in it.
#
#   cmake -DNM=nm -DOBJECTS=a.o,b.o -P weak_symbols.cmake
string(REPLACE "," ";" objects "${OBJECTS}")
list(LENGTH objects count)
if(count EQUAL 0)
  message(FATAL_ERROR "no object files given")
endif()
set(weak "")
foreach(object IN LISTS objects)
  execute_process(COMMAND ${NM} --defined-only ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[0-9a-fA-F]+ [VvWwu] [^\n]+" found "${symbols}")
  foreach(symbol IN LISTS found)
    string(APPEND weak "  ${object}: ${symbol}\n")
  endforeach()
endforeach()
if(weak)
  message(FATAL_ERROR "weak symbols in kernel objects:\n${weak}1 failed")
endif()
message("${count} objects without weak symbols: 1 passed, 0 failed")
