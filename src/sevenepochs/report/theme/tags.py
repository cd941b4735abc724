"""HTML as strings: everything that is text goes through `escape`, everything that is markup comes from `tag`."""

from __future__ import annotations

from html import escape as _escape

VOID = {"br", "hr", "img", "input", "link", "meta", "col", "wbr"}
Attribute = str | int | bool | None


def escape(text: str) -> str:
    """Text as it may stand between tags or inside double quotes."""
    return _escape(text, quote=True)


def tag(element: str, markup: str = "", /, **attributes: Attribute) -> str:
    """One element around markup. `class_` is class, `aria_label` aria-label; None and False leave an attribute out."""
    head = element + "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return f"<{head}>" if element in VOID else f"<{head}>{markup}</{element}>"


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
