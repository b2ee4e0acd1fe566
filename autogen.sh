#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes configure from configure.ac; run once after a clone.
set -e
cd "$(dirname "$0")"
mkdir -p m4 build-aux
autoreconf --install --force --warnings=all,no-portability,no-obsolete
