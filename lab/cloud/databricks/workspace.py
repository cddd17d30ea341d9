"""Workspace API 2.0 on a folder. A notebook is a file without an extension whose first line marks it as one."""

from __future__ import annotations

import base64
import binascii
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from lab.cloud.databricks.api import ApiError, Arguments, Routes, flag, invalid, missing, required

HEADERS = {"PYTHON": "# Databricks notebook source", "SQL": "-- Databricks notebook source"}
EXTENSIONS = {".py": "PYTHON", ".sql": "SQL"}
LARGEST = 10 * 1024 * 1024


class WorkspaceApi:
    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def register(self, routes: Routes) -> None:
        operations: dict[str, Callable[[Arguments], Any]] = {
            "POST mkdirs": self.mkdirs,
            "POST import": self.import_object,
            "GET export": self.export,
            "GET get-status": self.get_status,
            "GET list": self.list,
            "POST delete": self.delete,
        }
        for name, operation in operations.items():
            method, path = name.split()
            routes.add(method, f"2.0/workspace/{path}", operation)

    def mkdirs(self, arguments: Arguments) -> dict[str, Any]:
        place = self._place(arguments)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise ApiError(
                400, "RESOURCE_ALREADY_EXISTS", f"{arguments['path']}: a part of this path is not a folder"
            ) from None
        return {}

    def import_object(self, arguments: Arguments) -> dict[str, Any]:
        place, content = self._place(arguments), _content(arguments)
        language = arguments.get("language")
        match (arguments.get("format") or "SOURCE").upper():
            case "SOURCE":
                if language not in HEADERS:
                    raise invalid(f"language: {language!r} is not one of {', '.join(HEADERS)}")
            case "AUTO":
                language = _language_of(content)
                if language is not None:
                    place = place.with_suffix("") if place.suffix in EXTENSIONS else place
            case "RAW":
                language = None
            case other:
                raise invalid(f"format: {other!r} is not one of SOURCE, AUTO, RAW (what the lab takes)")
        if language is not None and _language_of(content) is None:
            content = f"{HEADERS[language]}\n".encode() + content
        self._write(place, content, overwrite=flag(arguments, "overwrite"))
        return {}

    def _write(self, place: Path, content: bytes, overwrite: bool) -> None:
        path = self._path(place)
        if place.is_dir() or (place.exists() and not overwrite):
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Path ({path}) already exists.")
        if not place.parent.is_dir():
            raise missing(f"The parent folder ({self._path(place.parent)}) does not exist.")
        beside = place.with_name(f".{place.name}.importing")
        beside.write_bytes(content)
        beside.replace(place)

    def export(self, arguments: Arguments) -> Any:
        place = self._existing(arguments)
        if place.is_dir():
            raise invalid(f"{arguments['path']}: the lab exports single notebooks and files")
        content = place.read_bytes()
        if flag(arguments, "direct_download"):
            return web.Response(body=content, content_type="application/octet-stream")
        return {"content": base64.b64encode(content).decode(), "file_type": place.suffix.lstrip(".") or "py"}

    def get_status(self, arguments: Arguments) -> dict[str, Any]:
        return self._info(self._existing(arguments))

    def list(self, arguments: Arguments) -> dict[str, Any]:
        place = self._existing(arguments)
        if not place.is_dir():
            return {"objects": [self._info(place)]}
        objects = [self._info(entry) for entry in sorted(place.iterdir()) if not entry.name.endswith(".importing")]
        return {"objects": objects} if objects else {}

    def delete(self, arguments: Arguments) -> dict[str, Any]:
        place = self._existing(arguments)
        if place == self._root.resolve():
            raise invalid("path: the root of the workspace cannot be deleted")
        if not place.is_dir():
            place.unlink()
        elif flag(arguments, "recursive"):
            shutil.rmtree(place)
        elif any(place.iterdir()):
            raise ApiError(400, "DIRECTORY_NOT_EMPTY", f"Folder ({arguments['path']}) is not empty")
        else:
            place.rmdir()
        return {}

    def _place(self, arguments: Arguments) -> Path:
        path = str(required(arguments, "path"))
        if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
            raise invalid(f"path: {path!r} is not an absolute workspace path")
        return self._root.resolve() / path.removeprefix("/Workspace/").strip("/")

    def _existing(self, arguments: Arguments) -> Path:
        place = self._place(arguments)
        if not place.exists():
            raise missing(f"Path ({arguments['path']}) doesn't exist.")
        return place

    def _path(self, place: Path) -> str:
        return "/" + "/".join(place.relative_to(self._root.resolve()).parts)

    def _info(self, place: Path) -> dict[str, Any]:
        path, stat = self._path(place), place.stat()
        info = {"path": path, "object_id": zlib.crc32(path.encode()) + 1, "modified_at": int(stat.st_mtime * 1000)}
        if place.is_dir():
            return info | {"object_type": "DIRECTORY"}
        with place.open("rb") as file:
            language = None if place.suffix else _language_of(file.readline())
        if language is None:
            return info | {"object_type": "FILE", "size": stat.st_size}
        return info | {"object_type": "NOTEBOOK", "language": language}


def _content(arguments: Arguments) -> bytes:
    content = arguments.get("content") or b""
    if isinstance(content, str):
        try:
            content = base64.b64decode(content, validate=True)
        except binascii.Error as error:
            raise invalid(f"content is not base64: {error}") from None
    if len(content) > LARGEST:
        raise ApiError(
            400, "MAX_NOTEBOOK_SIZE_EXCEEDED", f"content: {len(content)} bytes exceed the limit of {LARGEST} bytes"
        )
    return content


def _language_of(content: bytes) -> str | None:
    return next((name for name, header in HEADERS.items() if content.startswith(header.encode())), None)
