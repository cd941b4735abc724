"""What a notebook's cell put out, as HTML: images as files, tables sanitised, text as text.

A picture is shown through <img>, SVG too: inside an image nothing runs, nothing is fetched, and ids cannot collide.
"""

from __future__ import annotations

import base64
import re

from sevenepochs.report.theme.renderer import Renderer
from sevenepochs.report.theme.sanitise import sanitise
from sevenepochs.report.theme.site import Node
from sevenepochs.report.theme.tags import escape, tag

# Best first. What is not here (widgets, JavaScript, Vega) needs a program in the page; its text/plain is shown instead.
_PICTURES = {
    "image/svg+xml": ".svg",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
}
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def output_html(renderer: Renderer, node: Node, alt: str | None) -> str:
    """One output.

    Raises:
        UserError: it offers no form that a static page can show.
    """
    data = node["jupyter_data"]
    kind = data["output_type"]
    if kind == "stream":
        return _pre(_joined(data["text"]), f"output stream {data['name']}")
    if kind == "error":
        traceback = _joined(data.get("traceback") or [f"{data['ename']}: {data['evalue']}"], "\n")
        return _pre(traceback, "output error")
    bundle = data["data"]
    for mime, suffix in _PICTURES.items():
        if mime in bundle:
            path = renderer.assets.write(_picture(renderer, mime, bundle[mime]), suffix)
            described = _described(data.get("metadata", {}), mime) or alt
            width = (data.get("metadata", {}).get(mime) or {}).get("width")
            return tag("img", src=path, alt=described or "", width=width, class_="output picture") + "\n"
    if "text/html" in bundle:
        html = sanitise(_content(renderer, bundle["text/html"]))
        return tag("div", html, class_="output html table-box", tabindex=0, role="region", aria_label="Output") + "\n"
    if "text/plain" in bundle:
        return _pre(_content(renderer, bundle["text/plain"]), "output text")
    raise renderer.refuse(node, f"an output has only {', '.join(sorted(bundle))}, which a static page cannot show")


def _pre(text: str, style: str) -> str:
    return tag("pre", escape(_ANSI.sub("", text).rstrip("\n")), class_=style, tabindex=0) + "\n"


def _joined(text: str | list[str], between: str = "") -> str:
    return text if isinstance(text, str) else between.join(text)


def _content(renderer: Renderer, part: Node) -> str:
    """Small outputs stand in the tree, large ones in a file beside it."""
    if "content" in part:
        return _joined(part["content"])
    return renderer.assets.read(part["path"]).decode("utf-8")


def _picture(renderer: Renderer, mime: str, part: Node) -> bytes:
    if "path" in part:
        return renderer.assets.read(part["path"])
    content = _joined(part["content"])
    return content.encode("utf-8") if mime == "image/svg+xml" else base64.b64decode(content)


def _described(metadata: Node, mime: str) -> str | None:
    """The description that a notebook gave its picture, in the output's metadata."""
    return (metadata.get(mime) or {}).get("alt") or metadata.get("alt")
