#!/bin/sh
# Install locks into /opt/venv, and nothing that no process reads: install-locks NAME...
set -eu
for name in "$@"; do set -- "$@" --requirement "/locks/$name.txt"; shift; done
uv pip install --quiet --require-hashes --python /opt/venv/bin/python "$@"
site=$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# The packages' own tests, C headers and sources, pyarrow's network server, languages that no log is in: about 180 MB.
for package in matplotlib networkx numpy pandas pyarrow scipy sklearn; do
    find "$site/$package" -type d \( -name tests -o -name include \) -prune -exec rm -r {} +
done
find "$site" \( -name '*.pyx' -o -name '*.pxd' -o -name '*.a' -o -name '*.c' -o -name '*.pyi' \) -delete
rm "$site"/pyarrow/libarrow_flight* "$site"/pyarrow/_flight*
find "$site/babel/locale-data" -name '*.dat' ! -name 'root.dat' ! -name 'en*' -delete 2>/dev/null || true
# Debug symbols, which some wheels carry; the libraries in *.libs were patched, and strip could break them.
find "$site" -name '*.so' ! -path '*.libs/*' -exec strip --strip-debug {} +
