#!/bin/sh
# Says in one sentence what the machine lacks to install calibrant: Python >= 3.11, venv, headers, a C++ compiler.
# Usage: preflight.sh PYTHON
python=${1:-python3}
refuse() { printf 'calibrant: %s\n' "$1" >&2; exit 2; }

command -v "$python" >/dev/null 2>&1 ||
  refuse "PYTHON must be a Python >= 3.11, got no command '$python'; install it or run make PYTHON=/path/to/python3.11"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') ||
  refuse "PYTHON must be a Python >= 3.11, but '$python' does not run; run make PYTHON=/path/to/python3.11"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  refuse "PYTHON must be at least 3.11, got $version of '$python'; run make PYTHON=/path/to/python3.11"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
  refuse "Python $version must have the modules venv and ensurepip; on Debian install python3-venv"
header=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
[ -f "$header" ] ||
  refuse "Python $version must have its headers, got no $header; on Debian install python3-dev"
for compiler in ${CXX:-c++ g++ clang++}; do
  command -v "$compiler" >/dev/null 2>&1 && exit 0
done
refuse "a C++17 compiler must be on the PATH, got none of ${CXX:-c++, g++, clang++}; on Debian install g++"
