"""Kubeflow Pipelines on real containers and real servers: the image, the API, deploying, verifying."""
