"""The retraining pipeline as an Airflow DAG (`dags/retrain.py`)."""
