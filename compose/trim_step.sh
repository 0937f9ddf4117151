#!/bin/sh
# Take out of /opt/venv what no step of a pipeline imports; compile_imported.py then sees that nothing is missing.
set -eu
site=$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
before=$(du -sk /opt/venv | cut -f1)
# What locks bring in with the packages: clients of servers and clouds, plotting, servers, task queues, consoles.
uv pip uninstall --quiet --python /opt/venv/bin/python \
    kubernetes kfp-kubernetes kfp-pipeline-spec kfp-server-api google-api-core google-auth google-cloud-core \
    google-cloud-storage google-crc32c google-resumable-media googleapis-common-protos proto-plus \
    oauthlib requests-oauthlib pyasn1 pyasn1-modules asyncssh websocket-client docker \
    matplotlib contourpy cycler fonttools kiwisolver pillow networkx pydot \
    flask flask-cors werkzeug itsdangerous gunicorn waitress uvicorn graphene graphql-core graphql-relay huey \
    celery kombu billiard amqp vine hydra-core omegaconf antlr4-python3-runtime gto \
    prompt-toolkit wcwidth prettytable click-repl shtab setuptools
# Web pages, an assistant, price lists of language models; the API of Databricks; one file format of scipy's; tests.
rm -r "$site"/mlflow/server/js "$site"/mlflow/assistant "$site"/mlflow/utils/model_catalog \
    "$site"/databricks/sdk/service "$site"/scipy/io/_fast_matrix_market/_fmm_core* \
    "$site"/sqlalchemy/testing
find "$site/kfp" -name '*_test.py' -delete
# One library under three names: a wheel holds no links.
rm "$site"/pyarrow/libarrow_python.so "$site"/pyarrow/libarrow_python.so.*.*.*
# Of the services of AWS, a DVC remote is one: the descriptions of four hundred others.
find "$site/botocore/data" -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sts -exec rm -r {} +
# For whoever wants to know what this gives.
echo "$((before - $(du -sk /opt/venv | cut -f1)))" > /opt/venv/trimmed-kib
