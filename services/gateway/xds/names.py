"""Owns the names that the parts of the configuration know each other by: filters, headers, cookies, clusters."""

from __future__ import annotations

HEADERS, INTERNAL, COMPRESS, ORIGIN, BODY = "headers", "internal", "compress", "origin", "body"
REMEMBERED = "remembered"
KEYS, COOKIE, COPY, MARK, AUTHZ, SESSION = "keys", "cookie", "copy", "mark", "authz", "session"
TRANSCODE, ROUTER = "transcode", "router"
SESSION_CHAIN = (KEYS, COOKIE, COPY, MARK, AUTHZ, SESSION)

HTTP = "envoy.extensions.filters.http"
JWT_AUTHN = f"{HTTP}.jwt_authn.v3.JwtAuthentication"
ADS = {"ads": {}, "resource_api_version": "V3"}
CONTROL_PLANE = "control_plane"

ASSERTION = "x-valv-assertion"
CLIENT_ADDRESS = "x-valv-client-address"
EARLIER_SESSION, DEVICE = "x-valv-session", "x-valv-device"
ASSERTION_COOKIE, ASSERTION_HEADER = "__Host-valv_assertion", "valv-assertion"
SESSION_COOKIE, SESSION_HEADER = "__Host-valv_session", "valv-session"
DEVICE_COOKIE = "__Host-valv_device"
BY_HEADER, BY_COOKIE, PAYLOAD = "by_header", "by_cookie", "payload"
