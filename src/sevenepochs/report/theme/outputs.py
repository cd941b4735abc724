"""The outputs of a notebook's cell as HTML: images as files, tables sanitised, text as text.

A picture is shown through <img>, SVG too: inside an image nothing runs, nothing is fetched, and ids cannot collide.
"""

from __future__ import annotations

import base64
import re

from sevenepochs.report.theme.html import escape, sanitise, tag
from sevenepochs.report.theme.site import Assets, Node

# Best first. All else (widgets, JavaScript, Vega) needs a program in the page; its text/plain is shown instead.
_PICTURES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def output_html(output: Node, assets: Assets, alt: str | None) -> str | None:
    """Return one output, as mystmd stores it: text in one piece, large contents in files beside the pages ("path");
    None where it offers no form that a static page can show. `alt` describes a picture, unless its metadata does."""
    kind = output["output_type"]
    if kind == "stream":
        return _pre(output["text"], f"output stream {output['name']}")
    if kind == "error":
        return _pre(output.get("traceback") or f"{output['ename']}: {output['evalue']}", "output error")
    bundle, metadata = output["data"], output.get("metadata", {})
    for mime, suffix in _PICTURES.items():
        if mime in bundle:
            content = _content(bundle[mime], assets, is_base64=mime != "image/svg+xml")
            of_picture = metadata.get(mime) or {}
            alt = of_picture.get("alt") or metadata.get("alt") or alt or ""
            path = assets.write(content, f".{suffix}")
            return tag("img", src=path, alt=alt, width=of_picture.get("width"), class_="output picture") + "\n"
    if "text/html" in bundle:
        html = sanitise(_content(bundle["text/html"], assets).decode("utf-8"))
        return tag("div", html, class_="output html table-box", tabindex=0, role="region", aria_label="Output") + "\n"
    if "text/plain" in bundle:
        return _pre(_content(bundle["text/plain"], assets).decode("utf-8"), "output text")
    return None


def _pre(text: str, style: str) -> str:
    return tag("pre", escape(_ANSI.sub("", text).rstrip("\n")), class_=style, tabindex=0) + "\n"


def _content(part: Node, assets: Assets, *, is_base64: bool = False) -> bytes:
    """Small outputs stand in the tree, large ones in a file beside it."""
    if "path" in part:
        return assets.read(part["path"])
    content: str = part["content"]
    return base64.b64decode(content) if is_base64 else content.encode("utf-8")
