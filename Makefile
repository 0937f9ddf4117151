# The verbs that people and CI share. Every one sets up what it needs; `./bakeoff --help` has the rest.
.DEFAULT_GOAL := help
.PHONY: help demo test test-core test-prefect test-airflow test-kubeflow test-parity test-stacks test-report check docs \
	dags deployments report ir lock up-airflow up-prefect up-kubeflow down clean distclean
# Two environments built, or two tools tested, at once would only wait for each other.
.NOTPARALLEL:

help:  ## List the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo:  ## Retrain March, April and May 2013 on all four arms and compare
	@./bakeoff demo

test: test-core test-prefect test-airflow test-kubeflow test-parity  ## Core tests, each adapter's tests in its own environment, parity

test-core:  ## Of these, the core's and the harness's (which compile the Kubeflow pipeline and serve S3)
	@./bakeoff setup plain kubeflow --test
	@.venvs/core/bin/python -m pytest -n 2 tests/shared tests/benchmarks

test-prefect:  ## Prefect's alone
	@./bakeoff setup prefect --test
	@.venvs/prefect/bin/python -m pytest tests/prefect_impl

test-airflow:  ## Airflow's alone
	@./bakeoff setup airflow --test
	@.venvs/airflow/bin/python -m pytest tests/airflow_impl

test-kubeflow:  ## Kubeflow's alone
	@./bakeoff setup kubeflow --test
	@.venvs/kubeflow/bin/python -m pytest tests/kubeflow_impl

test-parity:  ## All arms reach the same model
	@./bakeoff setup --test
	@.venvs/core/bin/python -m pytest tests/parity --ignore tests/parity/test_bad_input.py
	@.venvs/core/bin/python -m pytest -n 4 tests/parity/test_bad_input.py

test-stacks:  ## The tools' real servers in containers, and Kubeflow's steps: from nothing, parity, faults, capabilities (needs Docker, about half an hour)
	@./bakeoff setup plain --test
	@.venvs/core/bin/python -m pytest -n 2 tests/stacks

test-report:  ## The report opened in the machine's own Chromium: drawn, readable, agreeing with its data (half a minute)
	@./bakeoff setup plain --browser
	@.venvs/report/bin/python -m pytest --confcutdir tests/report tests/report

report:  ## One page of all result files, .bakeoff/report.html
	@./bakeoff report

check:  ## Lint, format, types, import contracts, docs up to date
	@./bakeoff setup plain --dev
	@.venvs/core/bin/ruff check .
	@.venvs/core/bin/ruff format --check .
	@.venvs/core/bin/mypy
	@.venvs/core/bin/lint-imports
	@.venvs/core/bin/cog --check --check-fail-msg "run make docs" README.md docs/*.md

docs:  ## Write into the documents what the commands and result files say
	@./bakeoff setup plain --dev
	@.venvs/core/bin/cog -r README.md docs/*.md

dags:  ## Import every DAG as Airflow's dag-processor does
	@./bakeoff setup airflow --test
	@.venvs/airflow/bin/python -m pytest tests/airflow_impl -k import_without_errors

deployments:  ## Load the flow of every deployment as Prefect's worker does
	@./bakeoff setup prefect --test
	@.venvs/prefect/bin/python -m pytest tests/prefect_impl -k each_deployment_is_of_a_flow

ir:  ## Compile the Kubeflow pipeline to the file that is reviewed
	@./bakeoff setup kubeflow
	@.venvs/kubeflow/bin/python -m kubeflow_impl.pipeline tests/kubeflow_impl/retrain.yaml

lock:  ## Recompile locks/ to the newest versions that fit
	@./bakeoff lock

up-airflow:  ## Start Airflow's real servers in containers, and wait until they are healthy
	@./bakeoff up airflow

up-prefect:  ## Start Prefect's real servers in containers, and wait until they are healthy
	@./bakeoff up prefect

up-kubeflow:  ## Make a Kind cluster with Kubeflow Pipelines, and wait until it is ready
	@./bakeoff up kubeflow

down:  ## Remove the stacks' containers, whose stored data are kept, and the Kind cluster
	@./bakeoff down all

clean:  ## Remove what runs have written: stores, tools' databases, results
	@rm -rf .bakeoff .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

distclean: clean  ## Remove the environments and the built data too
	@rm -rf .venvs data .dvc/cache .dvc/tmp
