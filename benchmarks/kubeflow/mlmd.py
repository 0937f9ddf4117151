"""The metadata of a run's artifacts and executions, by the way that KFP's own pages take: ML Metadata over gRPC-web.

KFP 2.17's REST API leaves the inputs and outputs of tasks empty; its UI asks the metadata store, which the UI's service
forwards under /ml_metadata.MetadataStoreService/. Read in kubeflow/pipelines: frontend/src/mlmd/MlmdUtils.ts (the
run's context is `system.PipelineRun`, named by the run id) and the UI's own seeding script for 2.17.1 (framing,
headers); field numbers from ml_metadata/proto/metadata_store.proto. Not confirmed against a running server from here.
"""

from __future__ import annotations

import struct
from typing import Any

import httpx
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from benchmarks.stacks.rest import Refused, Silent

_SERVICE = "/ml_metadata.MetadataStoreService/"
_HEADERS = {
    "Content-Type": "application/grpc-web+proto",
    "Accept": "application/grpc-web+proto",
    "X-Grpc-Web": "1",
}
#: What is read of the protocol. A map is the repeated pair that it is on the wire.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Value": {"int": (1, "int64"), "double": (2, "double"), "string": (3, "string"), "bool": (6, "bool")},
    "Property": {"key": (1, "string"), "value": (2, "Value")},
    "Context": {"id": (1, "int64"), "name": (3, "string")},
    "Artifact": {"id": (1, "int64"), "uri": (3, "string"), "custom": (5, "Property*"), "type": (8, "string")},
    "Execution": {"id": (1, "int64"), "state": (3, "int64"), "custom": (5, "Property*"), "type": (7, "string")},
    "NamedContext": {"type_name": (1, "string"), "context_name": (2, "string")},
    "InContext": {"context_id": (1, "int64")},
    "ContextAnswer": {"context": (1, "Context")},
    "Artifacts": {"items": (1, "Artifact*")},
    "Executions": {"items": (1, "Execution*")},
}
#: Execution.State.
CACHED = 5


def _classes() -> dict[str, Any]:
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="bakeoff_mlmd.proto", package="bakeoff", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            label = kinds.LABEL_REPEATED if kind.endswith("*") else kinds.LABEL_OPTIONAL
            kind = kind.rstrip("*")
            if kind in _MESSAGES:
                message.field.add(
                    name=field, number=number, label=label, type=kinds.TYPE_MESSAGE, type_name=f".bakeoff.{kind}"
                )
                continue
            added = message.field.add(
                name=field, number=number, label=label, type=getattr(kinds, f"TYPE_{kind.upper()}")
            )
            if name == "Value":  # one of them: which one is seen by what is set
                message.oneof_decl.add(name=f"_{field}")
                added.proto3_optional = True
                added.oneof_index = len(message.oneof_decl) - 1
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"bakeoff.{name}")) for name in _MESSAGES
    }


MESSAGES = _classes()


class Metadata:
    """The metadata store behind a server.

    Args:
        client: of the server's host.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def artifacts(self, run: str) -> list[dict[str, Any]]:
        """The artifacts of a run: their metadata, with `uri` and `type`."""
        answer = self._call("GetArtifactsByContext", MESSAGES["InContext"](context_id=self._context(run)), "Artifacts")
        return [{**_properties(each), "uri": each.uri, "type": each.type} for each in answer.items]

    def executions(self, run: str) -> list[dict[str, Any]]:
        """The executions of a run: `task_name`, `cached_execution_id` and the like, with `state`."""
        inside = MESSAGES["InContext"](context_id=self._context(run))
        answer = self._call("GetExecutionsByContext", inside, "Executions")
        return [{**_properties(each), "state": each.state, "type": each.type} for each in answer.items]

    def _context(self, run: str) -> int:
        asked = MESSAGES["NamedContext"](type_name="system.PipelineRun", context_name=run)
        return int(self._call("GetContextByTypeAndName", asked, "ContextAnswer").context.id)

    def _call(self, method: str, message: Any, answer: str) -> Any:
        where = f"{self._client.base_url}{_SERVICE.lstrip('/')}{method}"
        try:
            response = self._client.post(f"{_SERVICE}{method}", content=framed(message), headers=_HEADERS)
        except httpx.HTTPError as error:
            fix = "see that the deployments metadata-envoy-deployment and metadata-grpc-deployment are ready"
            raise Silent(f"the metadata store does not answer: {error}", where=where, fix=fix) from error
        told = response.headers.get("grpc-message") or f"HTTP {response.status_code}"
        if response.status_code == 200 and response.headers.get("grpc-status", "0") == "0":
            try:
                return MESSAGES[answer].FromString(unframed(response.content))
            except (ValueError, DecodeError) as error:
                told = str(error)
        raise Refused(
            f"the metadata store gives no answer: {told}",
            where=where,
            fix="give --host the address of KFP's UI (ml-pipeline-ui), which forwards it",
            status=response.status_code,
        )


def framed(message: Any) -> bytes:
    """A message as gRPC-web sends it."""
    content: bytes = message.SerializeToString()
    return struct.pack(">BI", 0, len(content)) + content


def unframed(content: bytes) -> bytes:
    """The message of an answer.

    Raises:
        ValueError: the answer is torn, or its trailer tells an error.
    """
    found = b""
    while content:
        if len(content) < 5:
            raise ValueError("a torn answer")
        kind, length = struct.unpack(">BI", content[:5])
        frame, content = content[5 : 5 + length], content[5 + length :]
        if len(frame) < length:
            raise ValueError("a torn answer")
        if not kind & 0x80:
            found = frame
        elif b"grpc-status:0" not in frame.replace(b" ", b"").lower():
            raise ValueError(frame.decode(errors="replace").strip())
    return found


def _properties(item: Any) -> dict[str, Any]:
    found = {}
    for one in item.custom:
        kind = next((kind for kind in ("int", "double", "string", "bool") if one.value.HasField(kind)), None)
        if kind:
            found[one.key] = getattr(one.value, kind)
    return found
