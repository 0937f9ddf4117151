# The verbs that people and CI share. Every one sets up what it needs; `./bakeoff --help` has the rest.
.DEFAULT_GOAL := help
.PHONY: help demo test test-stacks check docs ir lock up-airflow up-prefect up-kubeflow down clean distclean

help:  ## List the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo:  ## Retrain March, April and May 2013 on all four arms and compare
	@./bakeoff demo

test:  ## Core tests, each adapter's tests in its own environment, parity
	@./bakeoff setup --test
	@.venvs/core/bin/python -m pytest -n 2 tests/shared tests/benchmarks
	@.venvs/prefect/bin/python -m pytest tests/prefect_impl
	@.venvs/airflow/bin/python -m pytest tests/airflow_impl
	@.venvs/kubeflow/bin/python -m pytest tests/kubeflow_impl
	@.venvs/core/bin/python -m pytest tests/parity

test-stacks:  ## The tools' real servers in containers, and Kubeflow's steps: from nothing, parity, faults, capabilities (needs Docker, about half an hour)
	@./bakeoff setup plain --test
	@.venvs/core/bin/python -m pytest -n 2 tests/stacks

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
