"""Operators that work on the Kafka client machine."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context
from airflow.sdk.log import mask_secret
from botocore.config import Config
from botocore.exceptions import ClientError

from include.settings import Download, Settings
from pinterest.hooks.aws import S3Hook
from pinterest.hooks.kafka_client import Completed, KafkaClientError, KafkaClientHook
from pinterest.settings import settings

UPLOAD_SECONDS = 3600


class KafkaClientOperator(BaseOperator):
    """Base of the operators that run a script on the Kafka client machine.

    Canceling the task, or its timeout, ends the script and its children on the machine.

    :param script: bash, or the name of a ``.sh`` template (templated)
    :param timeout: seconds the script may take
    """

    template_fields: Sequence[str] = ("script",)
    template_ext: Sequence[str] = (".sh",)
    template_fields_renderers = {"script": "bash", "environment": "json"}  # noqa: RUF012

    def __init__(
        self, *, script: str, timeout: float = 1500, aws_conn_id: str | None = "aws_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.script = script
        self.timeout = timeout
        self.aws_conn_id = aws_conn_id
        self._running: KafkaClientHook | None = None

    def on_kill(self) -> None:
        if self._running is not None:
            self._running.kill()

    def run_script(
        self,
        hook: KafkaClientHook,
        environment: Mapping[str, str],
        *,
        secrets: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Completed:
        """Run the script once. Raises KafkaClientError if it fails, or takes longer than ``timeout``."""
        self._running = hook
        completed = hook.run(self.script, environment, self.timeout if timeout is None else timeout, secrets=secrets)
        return completed.check(f"The script of {self.task_id}")


class KafkaClientScriptOperator(KafkaClientOperator):
    """Run a script on the Kafka client machine. Returns its last line: ``unchanged`` or ``changed: …``.

    :param script: bash, or the name of a ``.sh`` template (templated)
    :param environment: variables of the script; no secrets, they are shown as rendered (templated)
    :param download: the archive of the settings' ``downloads`` that the script gets, as ``URL`` and ``SHA256``. A URL
        may hold a login or a token, so nobody sees it rendered
    :param timeout: seconds the script may take
    """

    template_fields: Sequence[str] = (*KafkaClientOperator.template_fields, "environment")

    def __init__(
        self, *, environment: Mapping[str, Any] | None = None, download: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.environment = dict(environment or {})
        self.download = download

    def execute(self, context: Context) -> str:
        return self._run(KafkaClientHook(settings(), self.aws_conn_id))

    def _run(
        self,
        hook: KafkaClientHook,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> str:
        """Run the script with variables that are not rendered, besides its own."""
        own = {name: "" if value is None else str(value) for name, value in self.environment.items()}
        archive = self._archive(hook.settings)
        return self.run_script(hook, {**own, **archive, **(environment or {})}, secrets=secrets).last_line

    def _archive(self, current: Settings) -> dict[str, str]:
        if self.download is None:
            return {}
        archive: Download = getattr(current.downloads, self.download)
        if archive.holds_secret:
            mask_secret(archive.url)
        return {"URL": archive.url, "SHA256": archive.sha256}


class KafkaClientUploadOperator(KafkaClientScriptOperator):
    """Have the client machine fetch an archive and put it into a bucket. Returns ``unchanged`` or ``changed: …``.

    The machine needs no rights of its own on the bucket: it gets a presigned URL, valid for an hour and for this
    object and content only. An object that already has this key and this digest in its metadata is left alone.

    :param download: the archive, by its name in the settings' ``downloads``
    :param sha256: its digest (templated)
    :param bucket: name of the bucket (templated)
    :param key: key of the object, best one that contains the digest (templated)
    """

    template_fields: Sequence[str] = (*KafkaClientScriptOperator.template_fields, "sha256", "bucket", "key")

    def __init__(self, *, download: str, sha256: str, bucket: str, key: str, **kwargs: Any) -> None:
        super().__init__(download=download, **kwargs)
        self.sha256 = sha256
        self.bucket = bucket
        self.key = key

    def execute(self, context: Context) -> str:
        hook = KafkaClientHook(settings(), self.aws_conn_id)
        s3 = self._s3(hook.settings.region)
        if self._is_there(s3):
            self.log.info("s3://%s/%s is there, with the right digest", self.bucket, self.key)
            return "unchanged"
        signed = {"Metadata": {"sha256": self.sha256}, "ChecksumSHA256": self._checksum}
        upload_url = s3.generate_presigned_url(
            "put_object", Params={"Bucket": self.bucket, "Key": self.key, **signed}, ExpiresIn=UPLOAD_SECONDS
        )
        headers = f"x-amz-meta-sha256: {self.sha256}\nx-amz-checksum-sha256: {self._checksum}"
        result = self._run(hook, {"SHA256": self.sha256, "HEADERS": headers}, {"UPLOAD_URL": upload_url})
        if not self._is_there(s3):
            where = f"s3://{self.bucket}/{self.key}"
            raise KafkaClientError(f"{where} is not there after the upload, or not with its digest")
        return result

    @property
    def _checksum(self) -> str:
        """The digest as S3 takes it, which then refuses other content."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()

    def _s3(self, region: str) -> Any:
        """A client whose addresses name the region. The global ones may redirect there; the script follows nothing."""
        own = S3Hook(aws_conn_id=self.aws_conn_id, region_name=region)
        addresses = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
        config = (own.config or Config()).merge(addresses)
        return S3Hook(aws_conn_id=self.aws_conn_id, region_name=region, config=config).conn

    def _is_there(self, s3: Any) -> bool:
        try:
            found = s3.head_object(Bucket=self.bucket, Key=self.key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                return False
            raise
        return bool(found["ContentLength"] > 0 and found["Metadata"].get("sha256") == self.sha256)
