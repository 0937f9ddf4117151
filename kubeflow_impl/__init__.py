"""The retraining pipeline as a Kubeflow pipeline."""
