#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The self-test on hardware-like KVM.
printf 'sh ./selftest.sh inside\n' >selftest_svm.$$
trap 'rm -f selftest_svm.$$' EXIT
"$top_srcdir/tests/kvm/svm-leg" -t 300 selftest_svm.$$ "$top_srcdir/tests/kvm/selftest.sh" "$top_builddir/casemate-vmm" 2>/dev/null
