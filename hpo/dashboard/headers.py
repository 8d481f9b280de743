"""What every answer carries: the path and the page's own headers in, safe headers out."""

from __future__ import annotations

from urllib.parse import urlsplit

from werkzeug.datastructures import Headers

# The page compiles WebGL code for parallel coordinates (eval) and styles itself inline.
PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
OTHER_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; sandbox"
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_SHOWN = ("image/", "audio/", "video/", "model/")
_READ = ("text/csv", "text/plain", "application/json", "application/jsonl")


def harden(headers: Headers, path: str) -> None:
    """Change the headers of an answer in place.

    Args:
        headers: As the page sends them.
        path: The decoded path of the request, without repeated slashes at its start.
    """
    is_page = path == "/dashboard" or path.startswith("/dashboard/")
    is_static = path.startswith("/static/")
    headers.update(ALWAYS)
    headers["Content-Security-Policy"] = PAGE_POLICY if is_page else OTHER_POLICY
    headers["Cache-Control"] = "private, no-cache" if is_static else "no-store"
    headers.remove("Access-Control-Allow-Origin")
    if is_static:
        headers["Vary"] = "Accept-Encoding"
    if path.startswith("/artifacts/"):
        _make_download(headers)
    if path.startswith("/csv/") and headers.get("Content-Type", "").startswith("text/csv"):
        headers["Content-Type"] = "text/csv; charset=utf-8"
    if "Location" in headers:
        headers["Location"] = _own_path(headers["Location"])


def _make_download(headers: Headers) -> None:
    """Have an uploaded file saved, not shown, and never run as a script or a style."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not kind.startswith(_SHOWN) and kind not in _READ:
        headers["Content-Type"] = "application/octet-stream"
    headers["Content-Disposition"] = "attachment"


def _own_path(location: str) -> str:
    """A redirect's target without scheme and host: a proxy's https would be lost with them."""
    parts = urlsplit(location)
    path = "/" + parts.path.lstrip("/")
    return f"{path}?{parts.query}" if parts.query else path
