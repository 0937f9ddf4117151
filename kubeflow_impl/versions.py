"""Versions of the pipeline: which code a past run was, and the same version again.

python -m kubeflow_impl.versions list
python -m kubeflow_impl.versions of RUN      # its version, compiled pipeline and image
python -m kubeflow_impl.versions again RUN   # the version and the parameters of that run, in a new one

`./bakeoff deploy kubeflow` uploads them: a version is named by its content, and shown as {commit}-{digest}; its image
is named by content too. Versions run side by side, as each run names its own.
"""

from typing import Annotated, Any

import typer

from kubeflow_impl.server import Server, Version

app = typer.Typer(add_completion=False)
Host = Annotated[str | None, typer.Option(help="the server, else KF_PIPELINES_ENDPOINT")]


def version_of(server: Server, run: str) -> Version:
    """The version that a run is of."""
    named = server.client.get_run(run).pipeline_version_reference
    return server.client.get_pipeline_version(named.pipeline_id, named.pipeline_version_id)


def images(version: Version) -> list[str]:
    """The images that a version's components run."""
    ir: dict[str, Any] = version.pipeline_spec
    pipeline = ir.get("pipeline_spec", ir)  # with a platform's part, both are one level down
    return sorted({each["container"]["image"] for each in pipeline["deploymentSpec"]["executors"].values()})


@app.command("list")
def show_all(host: Host = None) -> None:
    """The versions on the server, the newest first."""
    server = Server(host)
    for version in server.versions(server.pipeline()):
        print(version.display_name, version.created_at, version.pipeline_version_id)


@app.command()
def of(run: str, host: Host = None) -> None:
    """From a run to its exact code."""
    version = version_of(Server(host), run)
    commit, _, digest = version.display_name.rpartition("-")
    print(f"version {version.pipeline_version_id}\ncommit {commit}\ndigest {digest}")
    print("\n".join(f"image {image}" for image in images(version)))


@app.command()
def again(run: str, name: str, host: Host = None) -> None:
    """Run the version of an earlier run with its parameters, as NAME."""
    server = Server(host)
    earlier = server.client.get_run(run)
    made, _ = server.start(name, earlier.runtime_config.parameters, version_of(server, run))
    print(made.run_id)


if __name__ == "__main__":
    app()
