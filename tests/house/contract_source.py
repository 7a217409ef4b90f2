"""The contract as buf builds it of the `.proto` files: descriptors and comments, for the tests of this folder.

Not the generated stubs: those are compared with this, so this must not come from them.
"""

import functools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

ROOT = Path(__file__).resolve().parents[2]
BUF = Path(sys.executable).with_name("buf")


@dataclass(frozen=True)
class Element:
    """Anything that has a name and a comment in the contract; `owner` is the message a field or oneof stands in."""

    kind: str
    name: str
    owner: str
    comment: str


def buf(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([BUF, *arguments], cwd=cwd, capture_output=True, check=False, timeout=30)


@functools.cache
def files() -> tuple[FileDescriptorProto, ...]:
    built = buf("build", "--as-file-descriptor-set", "-o", "-")
    assert built.returncode == 0, built.stderr.decode()
    return tuple(file for file in FileDescriptorSet.FromString(built.stdout).file if file.package == "execsvc.v1")


def messages_of(parent: FileDescriptorProto | DescriptorProto) -> Iterator[DescriptorProto]:
    nested = parent.message_type if isinstance(parent, FileDescriptorProto) else parent.nested_type
    for message in nested:
        yield message
        yield from messages_of(message)


@functools.cache
def messages() -> dict[str, DescriptorProto]:
    return {m.name: m for file in files() for m in messages_of(file) if not m.options.map_entry}


@functools.cache
def enums() -> dict[str, EnumDescriptorProto]:
    top = [enum for file in files() for enum in file.enum_type]
    return {enum.name: enum for enum in top} | {
        f"{name}.{enum.name}": enum for name, message in messages().items() for enum in message.enum_type
    }


def fields() -> Iterator[tuple[str, FieldDescriptorProto]]:
    for name, message in messages().items():
        for field in message.field:
            yield name, field


def message_elements(
    message: DescriptorProto, path: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], str, str, str]]:
    """Yield (source path, kind, name, owner) of a message and all in it."""
    yield path, "message", message.name, ""
    for index, field in enumerate(message.field):
        yield (*path, 2, index), "field", field.name, message.name
    for index, oneof in enumerate(message.oneof_decl):
        if not any(f.proto3_optional and f.HasField("oneof_index") and f.oneof_index == index for f in message.field):
            yield (*path, 8, index), "oneof", oneof.name, message.name
    for index, enum in enumerate(message.enum_type):
        yield from enum_elements(enum, (*path, 4, index))
    for index, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            yield from message_elements(nested, (*path, 3, index))


def enum_elements(enum: EnumDescriptorProto, path: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], str, str, str]]:
    yield path, "enum", enum.name, ""
    for index, value in enumerate(enum.value):
        yield (*path, 2, index), "value", value.name, enum.name


def file_elements(file: FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str, str, str]]:
    for index, message in enumerate(file.message_type):
        yield from message_elements(message, (4, index))
    for index, enum in enumerate(file.enum_type):
        yield from enum_elements(enum, (5, index))
    for index, service in enumerate(file.service):
        yield (6, index), "service", service.name, ""
        for number, method in enumerate(service.method):
            yield (6, index, 2, number), "rpc", method.name, service.name


@functools.cache
def elements() -> tuple[Element, ...]:
    found = []
    for file in files():
        comments = {tuple(at.path): at.leading_comments.strip() for at in file.source_code_info.location}
        found += [Element(kind, name, owner, comments.get(path, "")) for path, kind, name, owner in file_elements(file)]
    return tuple(found)
