"""The retraining pipeline as a Prefect flow."""
