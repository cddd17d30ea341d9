"""TLS to the source database, as the extra of its Airflow connection says.

The extra has the keys of Airflow's ``MySqlHook``: ``ssl`` (an object, or the same as JSON text) and ``ssl_mode``, or
``ssl_ca``, ``ssl_cert`` and so on, as for MySQL Connector. What they mean here: docs/settings.md.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.faults import LastingError

MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
OPTIONS = ("ca", "capath", "cert", "key", "password", "cipher", "check_hostname", "verify_mode")
FLAT = {
    "ssl_ca": "ca",
    "ssl_capath": "capath",
    "ssl_cert": "cert",
    "ssl_key": "key",
    "ssl_key_password": "password",
    "ssl_cipher": "cipher",
    "ssl_verify_identity": "check_hostname",
    "ssl_verify_cert": "verify_mode",
}
TRUE, FALSE = ("true", "1", "yes", "required", "optional"), ("false", "0", "no", "none")
PEM = "-----BEGIN CERTIFICATE-----"


class TlsSettingsError(LastingError, ValueError):
    """The connection's extra cannot be used. The message names the key and its value, and says what is valid."""


@dataclass(frozen=True)
class Tls:
    """How to connect. Without a context, TLS is not used; unless required, a server may do without it."""

    context: ssl.SSLContext | None
    required: bool = False


def tls_of(extra: Mapping[str, Any]) -> Tls:
    """What the extra says. If it says nothing, TLS is used where the server offers it, and its certificate verified.

    Raises TlsSettingsError.
    """
    options, asked = _options(extra)
    mode = _mode(extra, options, asked=asked)
    if mode == "DISABLED":
        return Tls(None)
    if mode is None:
        return Tls(_context(options, verified=True, identified=True))
    knows_whom_to_trust = ("ca" in options or "capath" in options) and _flag(options, "verify_mode") is not False
    verified = mode.startswith("VERIFY") or knows_whom_to_trust
    return Tls(_context(options, verified=verified, identified=mode == "VERIFY_IDENTITY"), required=mode != "PREFERRED")


def _options(extra: Mapping[str, Any]) -> tuple[dict[str, Any], bool | None]:
    """The options of ``ssl`` and its flat spellings, and whether TLS is asked for: None if nothing is said."""
    given = extra.get("ssl")
    if isinstance(given, str) and given.strip():
        try:
            given = json.loads(given)
        except ValueError as error:
            raise TlsSettingsError(f"ssl is {given!r}, which is neither an object nor the JSON text of one") from error
    if given is not None and given != "" and not isinstance(given, (dict, bool)):
        raise TlsSettingsError(f"ssl is {given!r}; it must be an object of {', '.join(OPTIONS)}")
    options: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
    for name, value in extra.items():
        if not name.startswith("ssl_") or name in ("ssl_mode", "ssl_disabled"):
            continue
        if name not in FLAT:
            raise TlsSettingsError(f"{name} is not known; known are ssl, ssl_mode, ssl_disabled, {', '.join(FLAT)}")
        options.setdefault(FLAT[name], value)
    for name in options:
        if name not in OPTIONS:
            raise TlsSettingsError(f"ssl.{name} is not known; known are {', '.join(OPTIONS)}")
    if _flag(extra, "ssl_disabled") or given is False:
        return {}, False
    options = {name: value for name, value in options.items() if value not in (None, "")}
    return options, True if options or given is True else None


def _mode(extra: Mapping[str, Any], options: Mapping[str, Any], *, asked: bool | None) -> str | None:
    if extra.get("ssl_mode"):
        mode = str(extra["ssl_mode"]).upper()
        if mode not in MODES:
            raise TlsSettingsError(f"ssl_mode is {extra['ssl_mode']!r}; it must be one of {', '.join(MODES)}")
        return mode
    if asked is None:
        return None
    if not asked:
        return "DISABLED"
    if _flag(options, "verify_mode") is False:
        return "REQUIRED"
    return "VERIFY_CA" if _flag(options, "check_hostname") is False else "VERIFY_IDENTITY"


def _flag(of: Mapping[str, Any], name: str) -> bool | None:
    if of.get(name) is None:
        return None
    said = str(of[name]).lower()
    if said not in (*TRUE, *FALSE):
        raise TlsSettingsError(f"{name} is {of[name]!r}; it must be true or false")
    return said in TRUE


def _context(options: Mapping[str, Any], *, verified: bool, identified: bool) -> ssl.SSLContext:
    authority = str(options.get("ca", ""))
    try:
        context = ssl.create_default_context(
            cafile=authority if authority and PEM not in authority else None,
            capath=options.get("capath"),
            cadata=authority if PEM in authority else None,
        )
        context.check_hostname = identified
        context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
        if "cert" in options:
            password = options.get("password", "")  # without one, OpenSSL would ask for it at the terminal
            context.load_cert_chain(options["cert"], options.get("key"), password)
        if "cipher" in options:
            context.set_ciphers(options["cipher"])
    except (OSError, ValueError, TypeError) as error:
        files = {name: options[name] for name in ("ca", "capath", "cert", "key", "cipher") if name in options}
        said = ", ".join(f"{name} {str(value)[:200]!r}" for name, value in files.items())
        raise TlsSettingsError(
            f"ssl cannot be used: {error} ({said}). The files must be in PEM format and readable where tasks run"
        ) from error
    return context
