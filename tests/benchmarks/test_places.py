from benchmarks.places import child_env


def test_an_arm_takes_no_setting_of_the_users_own_servers(monkeypatch):
    foreign = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://production",
        "PREFECT_API_URL": "https://production",
        "PREFECT_API_DATABASE_CONNECTION_URL": "postgresql://production",
        "MLFLOW_REGISTRY_URI": "https://production",
        "BAKEOFF_TRACKING_URI": "https://production",
    }
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    assert "production" not in " ".join(child_env().values())
    assert child_env(PREFECT_HOME="/ours")["PREFECT_HOME"] == "/ours"
