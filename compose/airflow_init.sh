#!/bin/sh
# Once, before the services of Airflow start.
set -eu
airflow db migrate
airflow pools set train 4 "Candidates that are trained at once"
# Of the bundle `released`: `git push` deploys a DAG.
repository=/code/dags.git
if [ ! -e "$repository" ]; then
    git init --quiet --bare --initial-branch main "$repository"
    cd "$repository"
    nothing=$(git hash-object -t tree -w /dev/null)
    first=$(git -c user.name=bakeoff -c user.email=bakeoff@localhost commit-tree -m "No DAG yet" "$nothing")
    git update-ref refs/heads/main "$first"
fi
