#!/bin/sh
# rustdoc with its JSON output, which stable compilers have but do not offer. Set for the whole of
# cargo, the variable would have it build every dependency anew.
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
