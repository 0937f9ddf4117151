#!/bin/sh
# Once, before the services of Airflow start.
set -eu
airflow db migrate
airflow pools set train 4 "Candidates that are trained at once"
# Of the bundle `released`: `git push` deploys a DAG. Its branch has to be there before.
repository=/code/dags.git
[ -e "$repository" ] || git init --quiet --bare --initial-branch main "$repository"
cd "$repository"
for branch in main "$1"; do
    if ! git show-ref --quiet "refs/heads/$branch"; then
        nothing=$(git hash-object -t tree -w /dev/null)
        first=$(git -c user.name=bakeoff -c user.email=bakeoff@localhost commit-tree -m "No DAG yet" "$nothing")
        git update-ref "refs/heads/$branch" "$first"
    fi
done
