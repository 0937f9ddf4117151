"""Kubeflow Pipelines on a cluster: Kind's, made in one command, or one that is there already."""
