#!/bin/sh
# What a CI job does after the image is built: deploy, retrain, fail where the retraining fails (a rejection is no
# failure). Needs PREFECT_API_URL and PREFECT_API_AUTH_STRING:  sh prefect_impl/ci.sh '{"month": "2013-06"}'
set -eu
prefect --no-prompt deploy --all --prefect-file prefect_impl/prefect.yaml
exec prefect deployment run retrain/retrain --param config="$1" --watch --watch-timeout 900
