"""Run the flow for the harness: `python -m prefect_impl REQUEST.json`."""

from prefect_impl.flow import retrain
from shared.serve import serve

serve(retrain)
